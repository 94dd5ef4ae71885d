"""What is said of a Host or Origin that is refused: whoever runs the server reads how to let it in, once for each."""

from __future__ import annotations

from ..telemetry import emit
from .names import MAX_NAME, host_name

# So many are told of: nobody can fill the log by asking.
MAX_TOLD = 50


class Strangers:
    def __init__(self) -> None:
        self._told: set[str] = set()

    def host(self, host: str | None) -> str:
        """Why the request is refused, and the way out."""
        name = host_name(f"//{host}") if host else None
        if name is None:
            return "this server does not answer to that Host"
        return self._tell(f"this server does not answer to the Host {_shown(name)}", name, "names")

    def origin(self, origin: str) -> str:
        return self._tell(f"the Origin {_shown(origin)} may not use this server", origin, "origins")

    def _tell(self, refusal: str, value: str, key: str) -> str:
        text = f"{refusal}: add {_shown(value)} to {key} under [domains] in fastmcp.toml"
        if value not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(value)
            emit("warning", text)
        return text


def _shown(value: str) -> str:
    """As it is written in fastmcp.toml; what could be no name there is cut, and cannot end its line."""
    return '"' + "".join(each for each in value[:MAX_NAME] if each.isprintable() and each not in '"\\') + '"'
