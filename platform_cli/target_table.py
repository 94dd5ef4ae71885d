"""Lists all targets: the name that people write, and from where the class of the target is imported.

It is below every other room, since the configuration checks names by it. A new target is a line here and a folder in
targets.
"""

from __future__ import annotations

TARGETS = {
    "local": "platform_cli.targets.local.target:LocalTarget",
    "container": "platform_cli.targets.container.target:ContainerTarget",
    "kubernetes": "platform_cli.targets.kubernetes.target:KubernetesTarget",
    "lambda": "platform_cli.targets.aws_lambda.target:LambdaTarget",
}
DEFAULT_TARGET = "local"


def target_argument(name: str) -> str:
    """Returns the option that a suggested command needs for this target, empty for the default one."""
    return "" if name == DEFAULT_TARGET else f" --target {name}"
