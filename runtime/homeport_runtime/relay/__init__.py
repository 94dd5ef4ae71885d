"""Relays messages of legacy HTTP+SSE: POST /messages/ may reach a process in which GET /sse is not open.

One relay serves the workers of a machine (workers.py), one the replicas of an image (replicas.py), one the instances of
a function (instances.py, mailbox.py). Guard and hosts import this room.
"""
