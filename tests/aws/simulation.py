"""Answers what moto lacks of IAM and STS: the simulator of policies, which says what it is told to, and credentials'
end.
"""

from __future__ import annotations

from urllib.parse import parse_qs

DENIED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
<Message>not authorized to perform: iam:SimulatePrincipalPolicy</Message></Error></ErrorResponse>"""

EXPIRED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>
<Message>The security token included in the request is expired</Message></Error></ErrorResponse>"""


def simulate(denied: set[str] | None, body: bytes) -> tuple[int, bytes]:
    """Returns the status and content of the simulator's answer; `denied` are the actions that are not allowed, None if
    asking is not.
    """
    if denied is None:
        return 403, DENIED
    asked = [values[0] for key, values in parse_qs(body.decode()).items() if key.startswith("ActionNames.member.")]
    members = "".join(
        f"<member><EvalActionName>{action}</EvalActionName>"
        f"<EvalDecision>{'implicitDeny' if action in denied else 'allowed'}</EvalDecision></member>"
        for action in asked
    )
    result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
    inner = f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>"
    return 200, f"<SimulatePrincipalPolicyResponse>{inner}</SimulatePrincipalPolicyResponse>".encode()
