"""Where releases run. `base` says what a target can do, and each target is a module or a folder beside it.

Commands ask a target and never which one it is. Nothing here reads a project's configuration or prints.
"""
