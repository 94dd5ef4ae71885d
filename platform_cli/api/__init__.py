"""Defines what the platform's HTTP API answers, its errors, and the gate that requests pass, wherever the platform
runs.

Each module defines one shape: the platform writes it, `platform_client` and the commands read it, and `--json` prints
it. Every target answers with the same keys. The routes are in the rooms of their subjects (controlplane, pushes,
aws_platform). Every room may import this one; a command imports shapes for their types alone (see `shape`), and nothing
here opens a socket or a file.
"""
