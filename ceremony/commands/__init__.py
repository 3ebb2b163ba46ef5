"""The commands, one file each: `add_arguments(parser)` and `run(args, removed) -> exit code`.

stdout carries data, stderr talk. `removed` are the names of environment variables that were taken away at the start.
"""
