"""What the platform's HTTP API says, wherever the platform runs: its shapes, its errors, and which hosts may ask it.

The commands read these shapes and the platform writes them, so both sides import this room. Routes are not here: they
stand with what they lead to (controlplane, pushes, aws_platform). Nothing here opens a socket or a file.
"""
