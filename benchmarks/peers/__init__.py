"""Other pipelines beside ours, each in a process of its own that answers the same requests.

`make peers` makes their environment (`.venv-peers`). What runs in it imports nothing of `contextsvc`;
`ours` and `bare` run in the main one. `running` starts a process and asks it, `protocol` says what.
"""
