"""From a project to a bundle: source, interpreter, lock, layer, inspection, in the order that `build` gives them.

A layer holds installed packages and is shared, a bundle is one release's code with its manifest. What others wrote
runs confined (confined, uv). Where a bundle then runs is for targets; nothing here knows a platform. Targets, the
supervisor, both platforms and dev import it.
"""
