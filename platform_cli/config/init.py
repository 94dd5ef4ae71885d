"""Renders the fastmcp.toml that `homeport init` writes: what was found is set, and every other key is a comment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .schema import ENVIRONMENT, TABLES

_REQUIREMENTS = ("uv.lock", "pyproject.toml", "requirements.txt")


def render_init(folder: Path, entrypoint: str, name: str, requirements: str | None) -> str:
    """Returns the text of a commented fastmcp.toml for the server in `folder` that `entrypoint` runs."""
    found = [file for file in _REQUIREMENTS if (folder / file).is_file()]
    chosen = {"name": name, "entrypoint": entrypoint} | ({"requirements": requirements} if requirements else {})
    proposed = {"requirements": found[0]} if found else {}
    tables = [_table(table, chosen, proposed) for table in TABLES]
    tables.insert(
        list(TABLES).index("features"),
        f'# {ENVIRONMENT}\n[environment]\n# DATABASE_URL = "${{secrets.DATABASE_URL}}"\n',
    )
    return "# What homeport knows about this server. Lines with # show the defaults, or an example.\n\n" + "\n".join(
        tables
    )


def _table(table: str, chosen: Mapping[str, str], proposed: Mapping[str, str]) -> str:
    lines = [f"[{table}]"]
    for name, key in TABLES[table].items():
        lines.append(f"# {key.meaning}")
        if name in chosen:
            lines.append(f"{name} = {_quoted(chosen[name])}")
        else:
            lines.append(f"# {name} = {_quoted(proposed[name]) if name in proposed else key.example}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Returns `text` as a TOML basic string; for printable text the escapes of JSON are those of TOML."""
    return json.dumps(text, ensure_ascii=False)
