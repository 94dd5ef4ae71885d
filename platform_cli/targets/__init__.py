"""Implements the targets, where releases run.

`base` defines what a target can do; each target is a folder beside it, and a line in target_table. Commands ask a
target and never which one it is. What several targets need is beside `base`, such as `inspector`. Nothing here reads a
project's configuration or prints.
"""
