"""Holds the status of a project, for tests that need one with this or that changed."""

from __future__ import annotations

from platform_cli.api.status import Status

STATUS: Status = {
    "project": "tiny",
    "release": "v1",
    "bundle": "b" * 32,
    "state": "running",
    "target": "local",
    "image": None,
    "published": None,
    "url": "http://127.0.0.1:8700",
    "local_url": "http://127.0.0.1:8700",
    "mcp_url": "http://127.0.0.1:8700/mcp",
    "sse_url": "http://127.0.0.1:8700/sse",
    "workers": 1,
    "processes": [],
    "last_error": None,
    "auth": "none",
    "confined": True,
    "user": None,
    "folder": "/home/ada/tiny",
    "deployed_at": 0.0,
    "outdated_secrets": [],
    "memory_mb": None,
    "architecture": None,
    "instances": None,
    "hand_made": [],
    "cost": None,
    "front": None,
    "open_errors": 0,
}
