"""Finds what a deploy should tell of a project beyond that it is live, with one module for each kind of finding.

Examples are files that were not deployed, variables that nothing sets, and a server that everybody may call. The
modules read the project's code and configuration. Only a server that offers nothing stops a deploy. Commands and
deployers import this room.
"""
