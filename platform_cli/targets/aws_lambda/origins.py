"""Stores where releases came from, in a tag of the function for each.

How long a release took is only known after its version exists, and a version cannot be changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ...origin import Origin
from .client import AWS
from .names import function_name
from .places import arn

PREFIX, LAPTOP = "homeport:v", "laptop"
NAME, VALUE = re.compile(rf"{PREFIX}(\d+)"), re.compile(r"(\d+\.\d) (\w+) ?(.*)")
# The longest value of a tag, and the characters that it may not contain
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html).
MAX_VALUE = 256
NOT_IN_TAGS = re.compile(r"[^\w .:/=+@-]")


def write_origin(aws: AWS, project: str, release: int, origin: Origin) -> None:
    """Writes `SECONDS COMMIT AUTHOR`, with `laptop` as the commit of a release that came from a laptop."""
    said = f"{origin.seconds or 0:.1f} {origin.sha or LAPTOP} {NOT_IN_TAGS.sub('_', origin.author or '')}"
    aws.functions.tag_resource(Resource=_arn(aws, project), Tags={f"{PREFIX}{release}": said[:MAX_VALUE].rstrip()})


def read_origins(aws: AWS, project: str) -> Mapping[int, Origin]:
    """Returns the origins of the releases that have one."""
    tags = aws.functions.list_tags(Resource=_arn(aws, project))["Tags"]
    found = ((NAME.fullmatch(name), VALUE.fullmatch(value)) for name, value in tags.items())
    return {int(name[1]): _read(*value.groups()) for name, value in found if name and value}


def forget_origins(aws: AWS, project: str, *, but: Collection[int]) -> None:
    """Removes the origins of other releases, since a function has room for 50 tags."""
    if old := [f"{PREFIX}{release}" for release in read_origins(aws, project) if release not in but]:
        aws.functions.untag_resource(Resource=_arn(aws, project), TagKeys=old)


def _read(seconds: str, source: str, author: str) -> Origin:
    return Origin(author or None, None if source == LAPTOP else source, None, float(seconds))


def _arn(aws: AWS, project: str) -> str:
    return arn(aws, "lambda", f"function:{function_name(project)}")
