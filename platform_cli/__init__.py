"""homeport: a self-hosted FastMCP Cloud. The command line, the build pipeline, the control plane and the supervisor."""

__version__ = "0.1.0"
