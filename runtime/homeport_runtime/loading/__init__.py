"""Loads the server of a bundle: its manifest, its environment, its imports, and the object that it serves.

The code is imported from the bundle, as if it lay in the project's folder; packages may come from one packed file
(packed.py). The runtime's hosts and takeover import this room, and the platform does for the manifest and the
environment.
"""
