"""Reads and checks what a project says of itself: fastmcp.toml, fastmcp.json, pyproject.toml, package.json, a command.

The result is one frozen Project (project.py), whatever it was read from, with the entry point that was chosen and why.
Nothing here runs a program or the project's code, and nothing is written. Every room above may import it.
"""
