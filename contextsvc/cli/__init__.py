"""The command line.

Modules of commands declare options and import the rest inside the commands, so that `--help`, wrong
settings and short commands answer at once. What they print stands in modules of its own.
"""
