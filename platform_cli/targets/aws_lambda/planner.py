"""Determines the steps from the live to the desired state, and only reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...errors import ConfigError, InputError
from ..base import Step
from .client import AWS, aws_errors
from .desired import DesiredState
from .fronts import fits_certificate, fits_distribution, read_front, shown
from .live import Live, Mailbox, check_can_change, read_live
from .names import function_name, log_group, mailbox_table, role_name
from .publish import KEPT_RELEASES, is_full
from .roles import attached
from .secrets import has_other_values

Name = Literal[
    "role",
    "logs",
    "mailbox",
    "layers",
    "secrets",
    "function",
    "version",
    "url",
    "certificate",
    "front",
    "unfront",
    "reserved",
    "provisioned",
    "prune",
]
# The part of an account's concurrency that cannot be reserved
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
ALWAYS_UNRESERVED = 100
# The limit without [scaling] max: whoever finds the URL starts instances, if only to be refused, and takes them from
# all other functions of the account.
DEFAULT_LIMIT = 50
# Who may call the URL, by the mode of [auth].
CALLERS = {"none": "open to everyone", "token": "for its token", "oauth": "for tokens of its issuer"}


@dataclass(frozen=True, slots=True)
class LambdaStep(Step):
    """Is a step; `name` is the executor's method for it."""

    name: Name


@dataclass(frozen=True, slots=True)
class LambdaPlan:
    """Holds the steps, none if the release is live already.

    `limit` is how many instances there may be, None for the account's limit.
    """

    desired: DesiredState
    live: Live
    limit: int | None
    steps: tuple[LambdaStep, ...]

    @property
    def project(self) -> str:
        return self.desired.project

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns what nobody chose, and costs money if strangers call, since each of their requests is billed."""
        if self.desired.limit is not None:
            return ()
        if self.limit is None:
            return (
                "instances: nothing bounds how many there are, for the account has none to reserve; AWS raises an "
                "account's limit on request (Service Quotas)",
            )
        changes = any(step.name == "reserved" for step in self.steps)
        return (f"instances: at most {self.limit}, since nobody said more; [scaling] max does",) if changes else ()


def make_plan(aws: AWS, desired: DesiredState) -> LambdaPlan:
    with aws_errors():
        live = read_live(aws, desired.project)
        _check_owner(desired, live)
        limit = _limit(aws, desired, live)
        return LambdaPlan(desired, live, limit, tuple(_steps(aws, desired, live, limit)))


def _check_owner(desired: DesiredState, live: Live) -> None:
    """Raises InputError for a name of a stack, and for one that nobody chose and a project from another folder has."""
    check_can_change(desired.project, live)
    if not desired.named and live.function and (origin := live.function.get("Description")) != desired.origin:
        raise InputError(
            f"a project {desired.project!r} was deployed from {origin}",
            hint=f"--name {desired.project} makes this its next release; another name makes a project of its own",
        )


def _steps(aws: AWS, desired: DesiredState, live: Live, limit: int | None) -> Iterator[LambdaStep]:
    project, settings, new = desired.project, desired.settings, is_new(aws, desired, live)
    yield from _role(aws, desired, live, is_new=new)
    if not live.has_group or live.log_days != settings.log_days:
        yield LambdaStep("keep", f"logs in {log_group(project)} for {settings.log_days} days", "logs")
    if live.mailbox is not Mailbox.THERE:
        yield LambdaStep("create", f"table {mailbox_table(project)}, for /sse (it costs nothing while idle)", "mailbox")
    if new:
        kilobytes = desired.artifacts.function.size / 1000
        yield LambdaStep("upload", "the layers that are not there yet", "layers")
        if desired.secrets:
            names = desired.secrets.names
            named = (
                f"the secret {names[0]} as it is" if len(names) == 1 else f"the secrets {', '.join(names)} as they are"
            )
            yield LambdaStep("pin", f"the release to {named} now", "secrets")
        verb = "update" if live.function else "create"
        yield LambdaStep(verb, f"function {function_name(project)} ({kilobytes:.1f} kB)", "function")
        yield LambdaStep("switch", f"live to release v{live.newest + 1}, after it has answered", "version")
    if live.url is None:
        yield LambdaStep("create", f"its URL, {CALLERS[desired.auth or 'token']}", "url")
    yield from _front(aws, desired, live)
    yield from _scaling(desired, live, limit)
    if new and is_full(live):
        yield LambdaStep("delete", f"releases beyond the newest {KEPT_RELEASES}", "prune")


def _role(aws: AWS, desired: DesiredState, live: Live, *, is_new: bool) -> Iterator[LambdaStep]:
    name, settings = role_name(desired.project, aws.region), desired.settings
    if settings.role:
        return
    if live.role is None:
        # Releases of early versions have a role of another name, until the next one.
        if is_new:
            yield LambdaStep("create", f"role {name}", "role")
        return
    same = (
        live.policy == desired.role_policy(aws, used_secrets(desired, live))
        and settings.boundary in (None, live.boundary)
        and (settings.policies is None or set(settings.policies) == set(attached(aws, name)))
    )
    if not same:
        yield LambdaStep("update", f"role {name}", "role")


def _front(aws: AWS, desired: DesiredState, live: Live) -> Iterator[LambdaStep]:
    front, names = read_front(aws, live.tags), ", ".join(desired.fronted)
    if not desired.fronted:
        if front:
            yield LambdaStep("remove", " and ".join(shown(front)), "unfront")
    elif not fits_certificate(desired, front):
        yield LambdaStep("ask", f"for a certificate of {names}, and show the DNS records that it takes", "certificate")
    elif front and front.is_issued and not fits_distribution(aws, desired, front, live.url or ""):
        verb = "update" if front.distribution else "create"
        yield LambdaStep(verb, f"CloudFront distribution for {names}", "front")


def _scaling(desired: DesiredState, live: Live, limit: int | None) -> Iterator[LambdaStep]:
    ready = desired.scaling.min
    steps = []
    if live.reserved != limit:
        steps.append(LambdaStep("limit", f"instances to {limit or 'what the account has'}", "reserved"))
    if live.kept_ready != ready or live.not_kept_ready:
        detail = f"{ready} instances ready; AWS bills for them" if ready else "no instance ready without a request"
        steps.append(LambdaStep("keep", detail, "provisioned"))
    # At no moment may more instances be kept ready than the limit allows.
    yield from reversed(steps) if ready < live.kept_ready else steps


def _limit(aws: AWS, desired: DesiredState, live: Live) -> int | None:
    """Returns the limit of instances.

    Raises ConfigError before any change if it is more than the account can reserve.
    """
    limit = desired.limit
    if live.reserved == (limit or DEFAULT_LIMIT):
        return live.reserved
    account = aws.functions.get_account_settings()["AccountLimit"]
    most = max(0, account["UnreservedConcurrentExecutions"] + (live.reserved or 0) - ALWAYS_UNRESERVED)
    if limit is None:
        return min(DEFAULT_LIMIT, most) or None
    if limit > most:
        raise ConfigError(
            f"[scaling] max = {limit} reserves {limit} instances, and the account has {most} to reserve: of "
            f"{account['ConcurrentExecutions']} at once, AWS keeps {ALWAYS_UNRESERVED} for other functions",
            hint="a smaller max, or leave it out; AWS raises an account's limit on request (Service Quotas)",
        )
    return limit


def is_new(aws: AWS, desired: DesiredState, live: Live) -> bool:
    """Tells whether a release has to be made: for its content, its secrets, its access, or since the last has no URL
    yet.
    """
    if live.active is None or live.url is None or live.active.identity != desired.identity:
        return True
    if has_other_values(aws, desired.project, live.active.pin, desired.secrets):
        return True
    return desired.auth is not None and desired.auth != live.active.auth


def used_secrets(desired: DesiredState, live: Live) -> set[str]:
    """Returns the ARNs of the secrets of the new release, and of those that a rollback can reach."""
    pins = [desired.secrets, *(version.pin for version in live.releases)]
    return {pin.arn for pin in pins if pin}


def check_runs_there(*, sessions: bool, command: object, min_workers: int, snap_start: bool) -> None:
    """Raises ConfigError for settings that a function cannot have."""
    if sessions:
        raise ConfigError(
            "sessions = true keeps sessions in one process, and on Lambda each request may meet another one",
            hint="deploy it to the local target, or leave sessions out",
        )
    if min_workers and snap_start:
        raise ConfigError(
            "[scaling] min keeps instances ready and snap_start starts them from a snapshot: Lambda has no function "
            "with both",
            hint="leave one of them out",
        )
    if command:
        raise ConfigError(
            "a stdio command cannot run on Lambda: its program is not in the function",
            hint="deploy it to the local target",
        )


def check_served_there(kind: str) -> None:
    """Raises ConfigError for a kind of server that a function cannot serve."""
    if kind == "stdio":
        raise ConfigError(
            "the program speaks MCP over its own stdin and stdout alone, which a function cannot serve",
            hint="serve it by an SDK's run(), or deploy it to the local target",
        )
