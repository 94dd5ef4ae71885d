"""The shapes of what the platform's HTTP API says, its errors, and which hosts may ask it, wherever the platform runs.

A module per shape: the platform writes them, `platform_client` and the commands read them, and `--json` prints them.
Every target answers with the same keys. Routes are not here: they stand with what they lead to (controlplane, pushes,
aws_platform). Every room may import this one; a command imports shapes for its types alone (see `shape`), and nothing
here opens a socket or a file.
"""
