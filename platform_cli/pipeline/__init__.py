"""Builds a bundle from a project: source, interpreter, lock, layer, inspection, in the order that `build` gives them.

A layer holds installed packages and is shared; a bundle is one release's code with its manifest. The code of others
runs confined (confined.py, uv.py). Where a bundle runs is decided in targets; nothing here knows a platform. Targets,
the supervisor, both platforms and dev import this room.
"""
