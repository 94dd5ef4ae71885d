"""Implements the command line: a module for each family of commands, which parses, calls one room below, and prints.

Only `output` prints what a person reads on a terminal. No command decides how something is built, stored or served.
Nothing imports this room but `platform_cli.__main__`.
"""
