"""Contains homeport, a self-hosted FastMCP Cloud: its command line, build pipeline, control plane and supervisor."""

__version__ = "0.1.0"
