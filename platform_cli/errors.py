"""Defines every error that a person can meet, with its exit code and the category that `--json` reports.

    HomeportError            1    anything below
    ├── InputError           2    input      what was typed or written is wrong; nothing was changed
    │   ├── ConfigError      2    config     fastmcp.toml or fastmcp.json
    │   └── SourceError      2    source     the server file or the project folder
    ├── BusyError            3    busy       another deploy of this project holds the lock
    ├── NotFoundError        4    not-found  no such project or release
    ├── PlatformError        1    platform   the control plane cannot be started or reached
    ├── BuildError           1    build
    │   ├── LockError        1    lock       requirements cannot be resolved
    │   ├── LayerError       1    layer      packages cannot be installed
    │   └── InspectError     1    inspect    the server cannot be loaded, or does not answer
    ├── ReleaseError         1    release    the release did not warm up; the old one keeps serving
    ├── ServerError          1    server     an MCP server cannot be reached, or answered with a protocol error
    ├── ToolError            1    tool       the tool that was called says that it failed
    ├── GitHubError          1    github     GitHub cannot be reached, or refuses what it was asked
    │   ├── RateLimitError   1    github-limit  GitHub wants to be asked later
    │   └── RevokedTokenError 1   github-token  GitHub does not know the token (any more)
    ├── RegistryError        1    registry   a registry of images cannot be reached, or refuses what it was asked
    ├── ClusterError         1    cluster    a Kubernetes cluster cannot be reached, or refuses what it was asked
    ├── AWSError             1    aws        AWS cannot be reached, or refuses what it was asked
    └── InterruptedByUser    130  interrupted  Ctrl-C

An expected error carries `message` (what happened, and where) and `hint` (what to do next); it is shown without a
traceback.
"""

from __future__ import annotations

from typing import ClassVar


class HomeportError(Exception):
    """Is an expected failure: `message` says what happened and where, `hint` what to do next."""

    exit_code: ClassVar[int] = 1
    category: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(HomeportError):
    exit_code = 2
    category = "input"


class ConfigError(InputError):
    category = "config"


class SourceError(InputError):
    category = "source"


class BusyError(HomeportError):
    exit_code = 3
    category = "busy"


class NotFoundError(HomeportError):
    exit_code = 4
    category = "not-found"


class PlatformError(HomeportError):
    category = "platform"


class BuildError(HomeportError):
    category = "build"


class LockError(BuildError):
    category = "lock"


class LayerError(BuildError):
    category = "layer"


class InspectError(BuildError):
    category = "inspect"


class ReleaseError(HomeportError):
    category = "release"


class ServerError(HomeportError):
    category = "server"


class InterruptedByUser(HomeportError):
    exit_code = 130
    category = "interrupted"


class ToolError(HomeportError):
    category = "tool"


class GitHubError(HomeportError):
    category = "github"


class RevokedTokenError(GitHubError):
    category = "github-token"


class RateLimitError(GitHubError):
    """Says that GitHub refuses requests for another `seconds`."""

    category = "github-limit"
    seconds = 0.0


class AWSError(HomeportError):
    category = "aws"


class RegistryError(HomeportError):
    category = "registry"


class ClusterError(HomeportError):
    category = "cluster"
