"""Checks what homeport needs from this machine, and what a deployed server can reach on it.

Checks read and change nothing. Those of an AWS account are with the Lambda target, which uses the same Check. Commands
and targets import this room.
"""
