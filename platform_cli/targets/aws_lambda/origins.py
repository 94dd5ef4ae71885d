"""Where releases came from: a tag of the function for each, since what it took is known when its version, which nobody
can change, is there already.
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
# Of a tag's value; and what it may not have
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html).
MAX_VALUE = 256
NOT_IN_TAGS = re.compile(r"[^\w .:/=+@-]")


def write_origin(aws: AWS, project: str, release: int, origin: Origin) -> None:
    """`SECONDS COMMIT AUTHOR`, in which the commit of what came from a laptop is `laptop`."""
    said = f"{origin.seconds or 0:.1f} {origin.sha or LAPTOP} {NOT_IN_TAGS.sub('_', origin.author or '')}"
    aws.functions.tag_resource(Resource=_arn(aws, project), Tags={f"{PREFIX}{release}": said[:MAX_VALUE].rstrip()})


def read_origins(aws: AWS, project: str) -> Mapping[int, Origin]:
    """Of the releases that say it."""
    tags = aws.functions.list_tags(Resource=_arn(aws, project))["Tags"]
    found = ((NAME.fullmatch(name), VALUE.fullmatch(value)) for name, value in tags.items())
    return {int(name[1]): _read(*value.groups()) for name, value in found if name and value}


def forget_origins(aws: AWS, project: str, *, but: Collection[int]) -> None:
    """A function has room for 50 tags."""
    if old := [f"{PREFIX}{release}" for release in read_origins(aws, project) if release not in but]:
        aws.functions.untag_resource(Resource=_arn(aws, project), TagKeys=old)


def _read(seconds: str, source: str, author: str) -> Origin:
    return Origin(author or None, None if source == LAPTOP else source, None, float(seconds))


def _arn(aws: AWS, project: str) -> str:
    return arn(aws, "lambda", f"function:{function_name(project)}")
