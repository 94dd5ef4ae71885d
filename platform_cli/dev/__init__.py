"""Implements `homeport dev`: one project served from its own folder in the foreground, and reloaded on each save.

It needs no platform. It uses the pipeline and the supervisor as the platform does, with a draft in the place of a
release. Only its command imports this room.
"""
