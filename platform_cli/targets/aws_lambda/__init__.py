"""AWS Lambda as a target: a function per project, a version per release, an alias that says which one is live.

AWS itself is the state, by names and tags; nothing about it is kept at home. `planner` compares what is there with
what is desired, `executor` makes the difference. Commands and aws_platform import it.
"""
