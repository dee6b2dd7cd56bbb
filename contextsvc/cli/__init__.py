"""The command line.

The modules of commands declare only options. Each command imports everything else when it runs, so that
`--help`, wrong settings and short commands answer at once. Other modules hold the output of the commands.
"""
