"""Removes layers, which all projects of an account share, once no version uses them."""

from __future__ import annotations

from collections.abc import Iterable

from .client import AWS
from .names import LAYER_PREFIXES


def made_layers(aws: AWS, project: str) -> set[str]:
    """Returns the layers that were made for the project, whether or not it uses them."""
    pages = aws.functions.get_paginator("list_layers").paginate()
    newest = (layer["LatestMatchingVersion"] for page in pages for layer in page["Layers"])
    return {version["LayerVersionArn"] for version in newest if version.get("Description") == project}


def delete_unused_layers(aws: AWS, arns: Iterable[str], *, but_by: str | None = None) -> None:
    """Deletes those of these layer versions that no version of any function in the region uses.

    The function `but_by` does not count.
    """
    candidates = {arn for arn in arns if arn.split(":")[6].startswith(LAYER_PREFIXES)}
    if not candidates:
        return
    pages = aws.functions.get_paginator("list_functions").paginate(FunctionVersion="ALL")
    using = (function for page in pages for function in page["Functions"] if function["FunctionName"] != but_by)
    used = {layer["Arn"] for function in using for layer in function.get("Layers", ())}
    for arn in sorted(candidates - used):
        name, number = arn.split(":")[6:8]
        aws.functions.delete_layer_version(LayerName=name, VersionNumber=int(number))
