"""Implements the platform at home: one process per home, which stores what was deployed and tells the supervisor what
to run.

This room has its API, its SQLite stores, its names in Caddy and its garbage collection; `master` is the process that
outlives it. What a push starts is in pushes, what a laptop needs to reach the platform in platform_client. Nothing
imports this room: it is started as a program.
"""
