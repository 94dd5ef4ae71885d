"""Makes the configuration and the manifest of an image: JSON whose bytes depend on nothing but their content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..pipeline.model import Interpreter
from .model import CONFIG_TYPE, MANIFEST_TYPE, Base, Blob, ImageLayer, digest_of
from .places import FILES, HOME, PORT, START, USER

# A time would change the digest with each build.
EPOCH = "1970-01-01T00:00:00Z"
# Of the base's own: what they say is not true of an image on top of it.
STANDARD_LABELS = "org.opencontainers.image."
SECOND = 1_000_000_000
HEALTH = {"Interval": 30 * SECOND, "StartInterval": SECOND, "Timeout": 10 * SECOND, "Retries": 3}


def image_config(
    base: Base,
    own: Sequence[ImageLayer],
    project: str,
    labels: Mapping[str, str],
    python: Interpreter,
    start_timeout_s: float,
) -> bytes:
    """Returns the image configuration
    (https://github.com/opencontainers/image-spec/blob/main/config.md).

    `project` is the name in the server's log records. The server has `start_timeout_s` seconds to start before its
    health counts.
    """
    # By its minor version, a Python that the packages are not for is not found, instead of failing to import them.
    command = [f"python{python.minor}", "-I", "-S", "-X", "utf8", f"/{START}"]
    settings = base.config.get("config") or {}
    kept = {name: text for name, text in (settings.get("Labels") or {}).items() if not name.startswith(STANDARD_LABELS)}
    config = {
        **{key: base.config[key] for key in ("architecture", "os", "variant") if key in base.config},
        "created": EPOCH,
        "config": {
            "User": USER,
            "WorkingDir": f"/{FILES}",
            "Env": _environment(settings.get("Env") or [], project),
            "ExposedPorts": {f"{PORT}/tcp": {}},
            "Entrypoint": command,
            "StopSignal": "SIGTERM",
            # Docker's own: podman and Kubernetes have none in an image.
            "Healthcheck": {
                "Test": ["CMD", *command, "health"],
                "StartPeriod": int(start_timeout_s * SECOND),
                **HEALTH,
            },
            "Labels": {**kept, **labels},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in (*base.layers, *own)]},
        "history": [*_history(base), *({"created": EPOCH, "created_by": f"homeport: {each.history}"} for each in own)],
    }
    return _json(config)


def image_manifest(config: bytes, layers: Sequence[ImageLayer], annotations: Mapping[str, str]) -> bytes:
    """Returns the image manifest (https://github.com/opencontainers/image-spec/blob/main/manifest.md)."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": Blob(digest_of(config), len(config), CONFIG_TYPE).descriptor,
        "layers": [layer.blob.descriptor for layer in layers],
        "annotations": dict(annotations),
    }
    return _json(manifest)


def _environment(base: Sequence[str], project: str) -> list[str]:
    own = {"HOME": f"/{HOME}", "PORT": str(PORT), "HOMEPORT_PROJECT": project}
    kept = [variable for variable in base if variable.partition("=")[0] not in own]
    return [*kept, *(f"{name}={value}" for name, value in own.items())]


def _history(base: Base) -> list[dict[str, Any]]:
    """Returns an entry for each layer of the base: AWS Lambda refuses an image that lacks one."""
    history = base.config.get("history") or []
    if sum(not entry.get("empty_layer") for entry in history) == len(base.layers):
        return list(history)
    return [{"created": EPOCH, "created_by": str(base.reference)} for _ in base.layers]


def _json(data: object) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
