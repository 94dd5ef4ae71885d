"""The platform at home: one process per home that keeps what was deployed and tells the supervisor what to run.

Its API, its SQLite stores, its names in Caddy and its garbage are here; `master` is the process that outlives it. What
a push sets off is in pushes, what a laptop needs to reach it in platform_client. Nothing imports this room: it is
started as a program.
"""
