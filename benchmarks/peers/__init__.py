"""Other pipelines beside ours, each in a process of its own that answers the same requests.

`make peers` makes their environment (`.venv-peers`), where nothing imports `contextsvc`; `ours` and `bare`
run in the main one. `running` starts processes and sends requests, `protocol` defines these.
"""
