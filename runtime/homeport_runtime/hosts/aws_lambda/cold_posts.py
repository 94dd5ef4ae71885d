"""Hands a message of HTTP+SSE over to its session before the server is imported, which it is not for.

An instance that was just started holds no session, so a message that was posted to it is for another one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...protocol.discovery import Answer
from .access import LambdaAccess
from .events import read_request

# The first bytes of the paths at which messages are posted, unless an app has paths of its own (guard/paths.py).
MESSAGES = "/messages"


def hand_over(event: Mapping[str, Any], access: LambdaAccess) -> Answer | None:
    """Returns the answer to a message that was handed over, as the guard gives it; None for every other request, and
    for a session that is unknown.
    """
    table = os.environ.get("HOMEPORT_MAILBOX_TABLE")
    path = event["rawPath"]
    if not table or event["requestContext"]["http"]["method"] != "POST" or not path.startswith(MESSAGES):
        return None
    if not access.allows(event):
        return None
    # Most instances never take such a message.
    from ...aws.dynamodb import Table
    from ...aws.errors import AWSError
    from ...guard.auth import no_authorization
    from ...guard.paths import Paths
    from ...guard.streams import session_of
    from ...protocol.messages import MAX_BODY
    from ...relay.base import MAX_NAME, Posted
    from ...relay.mailbox import Mailbox, MessageLost

    scope, body = read_request(event)
    query = scope["query_string"]
    session = session_of(query)
    if not Paths().take_messages(scope["path"]) or not 0 < len(session) <= MAX_NAME or len(body) > MAX_BODY:
        return None
    headers = no_authorization(scope["headers"]) if access.access else scope["headers"]
    try:
        known = Mailbox(Table(table)).post(session, Posted(query, headers, body))
    except (AWSError, MessageLost):
        # The guard tries again, and says on the stream that it could not.
        return None
    return Answer(202, [], b"Accepted") if known else None
