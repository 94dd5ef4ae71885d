"""Implements containers of a platform as a target: as the embedded platform, with a container for each release.

The platform makes them (supervisor.containers); who deploys says that it should.
"""
