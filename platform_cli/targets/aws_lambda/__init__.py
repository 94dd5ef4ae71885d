"""Implements AWS Lambda as a target: a function per project, a version per release, an alias for the active one.

AWS itself is the state, by names and tags; nothing about it is stored at home. `planner` compares what exists with what
is desired, `executor` makes the difference. Commands and aws_platform import it.
"""
