"""Stores deployments on AWS, as items of the table.

Of each project one item counts them, and every new one is written on the condition that it is the next, so that two
deliveries at once do not overlook each other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import AWSError
from ..pushes.deployments import KEPT, REMEMBERED_S, Decide, Deployment, DeploymentRequest, Deployments, DeploymentState
from .table import Item, Put, Table, Update, fields_of

PREFIX, HEAD = "deployment#", "head"
COMMENTS = "comments"
# The seconds without a change after which a pull request gets a new comment.
COMMENT_S = 365 * 86400
# A transaction that conflicted is retried after a random wait that grows.
ATTEMPTS, FIRST_WAIT_S, LONGEST_WAIT_S = 20, 0.02, 1.0


class DynamoDeployments(Deployments):
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, project: str) -> list[Deployment]:
        items = self._table.query(_pk(project), PREFIX, newest_first=True)
        return [_deployment(item) for item in items]

    def insert(self, requests: Iterable[DeploymentRequest], decide: Decide, delivery: str | None) -> list[str]:
        chosen = list(requests)
        for attempt in range(ATTEMPTS):
            now = time.time()
            remembered: Item = {"pk": f"delivery#{delivery}", "sk": "-", "expires": int(now + REMEMBERED_S)}
            actions: list[Put | Update] = [Put(remembered, new=True)] if delivery is not None else []
            needed: dict[str, list[Deployment]] = {}
            for one in chosen:
                number, known = self._read(one.project)
                if (overtaken := decide(known, one)) is not None:
                    actions += _actions(one, number, overtaken, now)
                    needed[one.project] = known
            failed = self._table.write(actions) if actions else []
            if not failed:
                for known in needed.values():
                    self._prune(known)
                return list(needed)
            if delivery is not None and self._table.get(remembered["pk"], "-"):
                return []
            time.sleep(random.uniform(0, min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)))  # noqa: S311 - no secret
        raise AWSError("too much is deployed at once", hint="have GitHub deliver it again")

    def _read(self, project: str) -> tuple[int, list[Deployment]]:
        """Returns the number of deployments there have been, and those that are kept, the newest first,
        of one query.
        """
        items = self._table.query(_pk(project), newest_first=True)
        count = next((item["newest"] for item in items if item["sk"] == HEAD), 0)
        return count, [_deployment(item) for item in items if item["sk"] != HEAD]

    def _prune(self, before: list[Deployment]) -> None:
        """Removes what exceeds KEPT once one more than `before` is stored."""
        for old in before[KEPT - 1 :]:
            if old.state not in ("waiting", "running"):
                self._delete(old)

    def _delete(self, deployment: Deployment) -> None:
        self._table.delete(_pk(deployment.project), _sk(deployment))
        self._table.delete(*_log(deployment))

    def update(self, deployment: Deployment, *, only_if: DeploymentState | None = None, **fields: Any) -> bool:
        condition = {"state": only_if} if only_if else {}
        return self._table.update(Update(_pk(deployment.project), _sk(deployment), fields, condition))

    def end(self, deployment: Deployment, state: DeploymentState, **fields: Any) -> None:
        """Ends a deployment as the base does, and lets the items of an ended preview expire.

        A preview that is opened again writes the items that it needs anew.
        """
        super().end(deployment, state, **fields)
        if state == "gone":
            expires = {"expires": int(time.time() + REMEMBERED_S)}
            places = [(f"previews#{deployment.link}", deployment.project)]
            for one in self.of(deployment.project):
                places += [(_pk(one.project), _sk(one)), _log(one)]
            for pk, sk in places:
                self._table.update(Update(pk, sk, expires))

    def append_log(self, deployment: Deployment, line: str) -> None:
        self._table.append(*_log(deployment), "lines", f"{line}\n")

    def clear_log(self, deployment: Deployment) -> None:
        self._table.delete(*_log(deployment))

    def log(self, deployment: Deployment) -> str:
        item = self._table.get(*_log(deployment))
        return "".join(item["lines"]) if item else ""

    def previews(self, link: str) -> list[str]:
        return [item["sk"] for item in self._table.query(f"previews#{link}")]

    def forget(self, project: str) -> None:
        for deployment in self.of(project):
            if deployment.pull is None:
                self._delete(deployment)

    def comment(self, preview: str) -> int | None:
        item = self._table.get(COMMENTS, preview)
        return int(item["github_id"]) if item else None

    def set_comment(self, preview: str, github_id: int) -> None:
        expires = int(time.time() + COMMENT_S)
        self._table.put({"pk": COMMENTS, "sk": preview, "github_id": github_id, "expires": expires})


def _actions(
    request: DeploymentRequest, number: int, overtaken: Sequence[Deployment], now: float
) -> list[Put | Update]:
    pk = _pk(request.project)
    new = Deployment(number + 1, request.project, request.link, request.pull, request.sha, "waiting", now)
    actions: list[Put | Update] = [
        Update(pk, HEAD, {"newest": new.id}, {"newest": number} if number else None),
        Put({"pk": pk, "sk": _sk(new), **fields_of(new)}, new=True),
    ]
    if request.pull is not None:
        actions.append(Put({"pk": f"previews#{request.link}", "sk": request.project}))
    return actions + [
        Update(pk, _sk(one), {"state": "overtaken", "ended_at": now}, {"state": "waiting"}) for one in overtaken
    ]


def _pk(project: str) -> str:
    return f"project#{project}"


def _sk(deployment: Deployment) -> str:
    return f"{PREFIX}{deployment.id:012d}"


def _log(deployment: Deployment) -> tuple[str, str]:
    """Returns the key of a deployment's log, which is an item of its own since lists are read often, and
    logs are long.
    """
    return f"log#{deployment.project}", f"{deployment.id:012d}"


def _deployment(item: Item) -> Deployment:
    return Deployment(**{name: value for name, value in item.items() if name not in ("pk", "sk", "expires")})
