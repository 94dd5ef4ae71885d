"""Layers are shared by all projects of an account; what the last version that used one leaves behind is removed."""

from __future__ import annotations

from collections.abc import Iterable

from .client import AWS
from .names import LAYER_PREFIXES


def delete_unused_layers(aws: AWS, arns: Iterable[str]) -> None:
    """Of these versions of layers those that no function of the region uses, in whatever version of it."""
    candidates = {arn for arn in arns if arn.split(":")[6].startswith(LAYER_PREFIXES)}
    if not candidates:
        return
    pages = aws.functions.get_paginator("list_functions").paginate(FunctionVersion="ALL")
    used = {layer["Arn"] for page in pages for function in page["Functions"] for layer in function.get("Layers", ())}
    for arn in sorted(candidates - used):
        name, number = arn.split(":")[6:8]
        aws.functions.delete_layer_version(LayerName=name, VersionNumber=int(number))
