"""Makes the configuration and the manifest of an image: JSON whose bytes depend on nothing but their content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .model import CONFIG_TYPE, MANIFEST_TYPE, Base, Blob, ImageLayer, Process, digest_of
from .places import USER

# A time would change the digest with each build.
EPOCH = "1970-01-01T00:00:00Z"
# Of the base's own: what they say is not true of an image on top of it.
STANDARD_LABELS = "org.opencontainers.image."
SECOND = 1_000_000_000
HEALTH = {"Interval": 30 * SECOND, "StartInterval": SECOND, "Timeout": 10 * SECOND, "Retries": 3}


def image_config(base: Base, own: Sequence[ImageLayer], process: Process, labels: Mapping[str, str]) -> bytes:
    """Returns the image configuration
    (https://github.com/opencontainers/image-spec/blob/main/config.md).
    """
    settings = base.config.get("config") or {}
    kept = {name: text for name, text in (settings.get("Labels") or {}).items() if not name.startswith(STANDARD_LABELS)}
    config = {
        **{key: base.config[key] for key in ("architecture", "os", "variant") if key in base.config},
        "created": EPOCH,
        "config": {
            "User": USER,
            "WorkingDir": process.folder,
            "Env": _environment(settings.get("Env") or [], process.variables),
            **({"ExposedPorts": {f"{process.port}/tcp": {}}} if process.port else {}),
            "Entrypoint": [*process.command],
            **({"Cmd": [*process.arguments]} if process.arguments else {}),
            "StopSignal": "SIGTERM",
            # Docker's own: podman and Kubernetes have none in an image.
            "Healthcheck": {
                "Test": ["CMD", *process.health],
                "StartPeriod": int(process.start_timeout_s * SECOND),
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


def _environment(base: Sequence[str], own: Mapping[str, str]) -> list[str]:
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
