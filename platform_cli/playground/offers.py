"""Lists what a contract offers to be tried, and how each of it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from ..clients.exact import read_object, write_value
from .form import Form, form_of
from .values import Filled, Typed, fill

Kind = Literal["tool", "prompt", "resource", "template"]
METHODS: Mapping[Kind, str] = {
    "tool": "tools/call",
    "prompt": "prompts/get",
    "resource": "resources/read",
    "template": "resources/read",
}
# The characters that the name of an offer may have, so that a page has an address.
MAX_KEY = 1000
_SURROGATE = re.compile("[\ud800-\udfff]")
# An expression of a URI template (RFC 6570): its operator, and the names of its variables.
_EXPRESSION = re.compile(r"\{([+#./;?&]?)([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Offer:
    """Is a tool, a prompt, a resource, or a template of resources; `key` is its name, or its URI.

    `schema` says what it takes. It `asks_first` if it may destroy something, or does not say that it only reads.
    """

    kind: Kind
    key: str
    title: str
    description: str
    schema: Mapping[str, Any]
    asks_first: bool = False

    @property
    def method(self) -> str:
        return METHODS[self.kind]

    @property
    def form(self) -> Form:
        return form_of(self.schema)

    def fill(self, typed: Sequence[Typed]) -> Filled:
        """Returns the parameters of the request, of what was typed into the fields of its form in their order."""
        fields = self.form.fields
        filled = fill(fields, {field.name: each for field, each in zip(fields, typed, strict=False)})
        given = read_object(filled.json)
        if self.kind == "resource":
            params: dict[str, Any] = {"uri": self.key}
        elif self.kind == "template":
            params = {"uri": _expanded(self.key, given)}
        else:
            params = {"name": self.key, "arguments": given}
        return Filled(write_value(params, indent=2), filled.errors)


def offers_of(contract: Mapping[str, Any] | None) -> list[Offer]:
    """Returns all that a contract offers; a server may have said anything there."""
    told = contract or {}
    return [
        *(_tool(each) for each in _entries(told, "tools", "name")),
        *(_prompt(each) for each in _entries(told, "prompts", "name")),
        *(_other("resource", each, "uri", {}) for each in _entries(told, "resources", "uri")),
        *(_template(each) for each in _entries(told, "resourceTemplates", "uriTemplate")),
    ]


def _tool(said: Mapping[str, Any]) -> Offer:
    hints = said.get("annotations")
    hints = hints if isinstance(hints, Mapping) else {}
    schema = said.get("inputSchema")
    # MCP, "ToolAnnotations": a tool that does not only read may destroy, unless it says otherwise.
    asks_first = hints.get("readOnlyHint") is not True and hints.get("destructiveHint", True) is not False
    schema = schema if isinstance(schema, Mapping) else {}
    return Offer("tool", said["name"], _title(said, hints), _text(said.get("description")), schema, asks_first)


def _prompt(said: Mapping[str, Any]) -> Offer:
    listed = said.get("arguments")
    arguments = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    properties = {
        _text(each.get("name")): {"type": "string", "description": _text(each.get("description"))} for each in arguments
    }
    required = [_text(each.get("name")) for each in arguments if each.get("required") is True]
    return _other("prompt", said, "name", {"properties": properties, "required": required})


def _template(said: Mapping[str, Any]) -> Offer:
    names = [name for _operator, names in _variables(said["uriTemplate"]) for name in names]
    return _other(
        "template",
        said,
        "uriTemplate",
        {"properties": {name: {"type": "string"} for name in names}, "required": names},
    )


def _other(kind: Kind, said: Mapping[str, Any], key: str, schema: Mapping[str, Any]) -> Offer:
    return Offer(kind, said[key], _title(said, {}), _text(said.get("description")), schema)


def _entries(contract: Mapping[str, Any], listed: str, key: str) -> Iterator[Mapping[str, Any]]:
    entries = contract.get(listed)
    for each in entries if isinstance(entries, list) else ():
        if isinstance(each, Mapping) and _can_be_asked_for(each.get(key)):
            yield each


def _can_be_asked_for(key: object) -> bool:
    """Tells whether this is a name or a URI that fits into an address, which halves of surrogate pairs do not."""
    return isinstance(key, str) and len(key) <= MAX_KEY and _SURROGATE.search(key) is None


def _title(said: Mapping[str, Any], hints: Mapping[str, Any]) -> str:
    return _text(said.get("title") or hints.get("title"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _variables(template: str) -> Iterator[tuple[str, list[str]]]:
    for operator, names in _EXPRESSION.findall(template):
        yield operator, [name.partition(":")[0].rstrip("*") for name in names.split(",") if name]


def _expanded(template: str, given: Mapping[str, Any]) -> str:
    """Returns the URI of a template (RFC 6570, section 3.2) for values that are texts."""

    def expression(found: re.Match[str]) -> str:
        operator = found[1]
        (_, names) = next(_variables(found[0]))
        safe = ":/?#[]@!$&'()*+,;=" if operator in ("+", "#") else ""
        values = [(name, quote(str(given[name]), safe=safe)) for name in names if name in given]
        if not values:
            return ""
        if operator in ("?", "&", ";"):
            joiner = ";" if operator == ";" else "&"
            return operator + joiner.join(f"{name}={value}" for name, value in values)
        joiner = operator if operator in (".", "/") else ","
        start = operator if operator in ("#", ".", "/") else ""
        return start + joiner.join(value for _name, value in values)

    return _EXPRESSION.sub(expression, template)
