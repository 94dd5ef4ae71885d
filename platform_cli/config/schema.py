"""Defines every key of fastmcp.toml: how it is read (readers.py), what it means, and an example. Parser and help texts
both use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..target_table import TARGETS
from . import aws, limits
from .hosts import domains, origins
from .issuers import claim, issuer_url, login
from .readers import (
    args,
    boolean,
    command,
    entrypoint,
    image,
    included,
    label,
    one_of,
    processors,
    project_name,
    python_version,
    region,
    repository,
    requirements,
    seconds,
    text,
    texts,
    users,
    whole,
)


@dataclass(frozen=True, slots=True)
class Key:
    """Describes one key.

    `meaning` is a sentence for the person, `example` a value as TOML text: the default if there is one.
    """

    read: Callable[[object], Any]
    meaning: str
    example: str


# The days that CloudWatch's PutRetentionPolicy accepts.
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

TABLES: Mapping[str, Mapping[str, Key]] = {
    "project": {
        "name": Key(
            project_name, "The project's name, part of its URL. Without it: the server's own name.", '"my-server"'
        ),
        "description": Key(text, "What the server is for, in a line.", '"What it is for"'),
        "version": Key(text, "Your own version of the server; releases count v1, v2, ... by themselves.", '"1.0.0"'),
    },
    "deployment": {
        "entrypoint": Key(
            entrypoint, "The server file, a module, or a console script: what runs by hand.", '"server.py"'
        ),
        "args": Key(args, "The arguments of the entry point.", '["--root", "data"]'),
        "command": Key(command, "Instead of entrypoint: a stdio server in any language.", '"npx -y some-stdio-server"'),
        "python_version": Key(python_version, "The Python to run on: a version, or a range of them.", '"3.11"'),
        "requirements": Key(
            requirements, "The file that lists the packages. Without it: found, or inferred.", '"requirements.txt"'
        ),
        "target": Key(one_of(*TARGETS), "Where it runs.", '"local"'),
        "extras": Key(
            texts("extras", '["postgres"]'), "Extras of the project itself that are installed too.", '["postgres"]'
        ),
        "groups": Key(
            texts("dependency groups", '["server"]'), "Dependency groups that are installed too.", '["server"]'
        ),
        "include": Key(included, "Files and folders that are deployed though .gitignore names them.", '["data"]'),
        "sessions": Key(
            boolean,
            "Keep a session per client, in the memory of one worker. Without it: if the code needs it.",
            "false",
        ),
        "replace": Key(
            one_of("overlap", "stop-first"),
            "How a release follows another; stop-first: never two at once.",
            '"overlap"',
        ),
        "start_timeout_s": Key(seconds(1, 600), "How long the server may take to start, in seconds.", "60"),
        "memory_mb": Key(whole(64, 1_048_576), "How much memory a worker may allocate, in megabytes.", "4096"),
    },
    "deployment.lambda": {
        "region": Key(region, "The AWS region. Without it: the one that AWS's own settings name.", '"eu-central-1"'),
        "architecture": Key(
            one_of("arm64", "x86_64"), "The processor; arm64 costs a fifth less for the same time.", '"arm64"'
        ),
        "memory_mb": Key(
            whole(128, 10_240), "Memory of an instance in megabytes; its share of a processor grows with it.", "1024"
        ),
        "timeout_s": Key(whole(5, 900), "How long one request, and so one stream, may last, in seconds.", "300"),
        "log_days": Key(one_of(*LOG_DAYS), "How many days CloudWatch keeps the logs.", "30"),
        "snap_start": Key(
            boolean, "Start instances from a snapshot (SnapStart, Python 3.12 or newer); AWS bills for it.", "false"
        ),
        "import_first": Key(
            boolean,
            "Import before the first request: a call is sooner, initialize later. Without it: below 1024 MB.",
            "true",
        ),
        "metrics": Key(
            boolean,
            "Make metrics of CloudWatch, too: AWS bills about $0.60 a month for it and for each tool.",
            "false",
        ),
        "permissions": Key(
            aws.statements,
            "What the server may do on AWS, as statements of IAM.",
            '[{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::reports/*"] }]',
        ),
        "policies": Key(
            aws.each(aws.policy, 10),
            "Managed policies of its role, these and no others. Without it: those that are attached stay.",
            '["arn:aws:iam::aws:policy/AmazonBedrockReadOnly"]',
        ),
        "role": Key(
            aws.role,
            "A role of your own instead of one that homeport makes; it needs what homeport's has.",
            '"arn:aws:iam::123456789012:role/reports"',
        ),
        "boundary": Key(
            aws.policy, "The permissions boundary of the role.", '"arn:aws:iam::123456789012:policy/limits"'
        ),
        "vpc": Key(
            aws.network,
            "The network it runs in; DynamoDB, Secrets Manager and all else need a way from there.",
            '{ subnets = ["subnet-0abc"], security_groups = ["sg-0abc"] }',
        ),
        "layers": Key(
            aws.each(aws.layer, aws.MAX_LAYERS),
            "Layers below homeport's own two, such as of an extension.",
            '["arn:aws:lambda:eu-central-1:123456789012:layer:otel:3"]',
        ),
        "kms_key": Key(
            aws.key,
            "The key that encrypts the function's environment. Without it: AWS's own.",
            '"arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d"',
        ),
        "front": Key(
            one_of("cloudfront", "own"),
            "What leads the names of [domains] here: a CloudFront distribution that homeport makes, or your own.",
            '"cloudfront"',
        ),
        "web_acl": Key(
            aws.web_acl,
            "A firewall (WAF) for that distribution.",
            '"arn:aws:wafv2:us-east-1:123456789012:global/webacl/limits/0a1b2c3d"',
        ),
        "tags": Key(aws.tags, "Tags of all that is made, for instance for cost allocation.", '{ team = "payments" }'),
    },
    "deployment.container": {
        "base": Key(
            image, "The image that the server's own is based on, with its Python and glibc.", '"python:3.11-slim"'
        ),
        "architecture": Key(one_of("arm64", "x86_64"), "The processor. Without it: this machine's.", '"x86_64"'),
        "network": Key(one_of("bridge", "none"), "What it reaches: the network, or nothing.", '"bridge"'),
        "cpus": Key(processors(0.05, 256), "Processors at most, also a part of one. Without it: all.", "0.5"),
    },
    "deployment.kubernetes": {
        "image": Key(
            repository,
            "The repository that images are pushed to, without a tag.",
            '"registry.example.com/you/my-server"',
        ),
        "namespace": Key(label, "The namespace. Without it: the context's own, else default.", '"my-team"'),
        "context": Key(text, "The context of the kubeconfig. Without it: the current one.", '"production"'),
        "replicas": Key(
            whole(1, 1000), "How many pods, always. Without it: as [scaling] says, with an autoscaler.", "2"
        ),
        "claim": Key(label, "The PersistentVolumeClaim for what the server writes; all pods mount it.", '"my-files"'),
        "pull_secret": Key(label, "The Secret with which the nodes pull the image.", '"registry-login"'),
    },
    "features": {
        "auto_scaling": Key(boolean, "Start workers when requests come, and stop them when idle.", "true"),
        "cold_start_optimization": Key(boolean, "Prepare what makes the first request fast.", "true"),
    },
    "scaling": {
        "min": Key(whole(0, 64), "Workers that always run; 0 lets an idle project stop.", "0"),
        "max": Key(whole(1, 1000), "Workers at most; on Lambda instances, 50 without it.", "1"),
        "idle_s": Key(seconds(1, 86400), "Seconds without an open request before a worker stops.", "300"),
        "concurrency": Key(whole(1, 1000), "Requests that one worker handles at the same time.", "16"),
        "unresponsive_s": Key(
            seconds(5, 86400), "Seconds without a sign of life before another worker takes over.", "60"
        ),
    },
    "auth": {
        "mode": Key(
            one_of("token", "oauth", "none"),
            "Who may call: whoever has a token of the project, or also whoever signs in, or everyone.",
            '"token"',
        ),
        "users": Key(
            users,
            "Who may sign in, by name or pattern, and the scopes that they may get at most.",
            '{ "*@company.com" = ["*"] }',
        ),
        "login": Key(login, "Where they sign in; without it the platform's owner approves each sign-in.", '"github"'),
        "client_id": Key(
            text,
            "The id of your app there; its secret is SIGN_IN_SECRET. Without that, people type a code at GitHub.",
            '"Iv23liAbCdEf"',
        ),
        "issuer": Key(
            issuer_url,
            "Instead of the platform that runs it: another one, or an authorization server of your own.",
            '"https://id.example.com"',
        ),
        "audience": Key(
            texts("audiences", '["https://mcp.example.com"]'),
            "For whom its tokens may be, beside the project's URLs.",
            '["https://mcp.example.com"]',
        ),
        "scope_claim": Key(claim, "The claim of its tokens that has the scopes.", '"scope"'),
    },
    "limits": {
        "read": Key(limits.rate, "How often a client may call what only reads.", '"100/minute"'),
        "write": Key(limits.rate, "How often a client may call everything else.", '"10/minute"'),
        "timeout_s": Key(limits.timeout, "How long a call may take, in seconds.", "120"),
    },
    "audit": {
        "arguments": Key(
            one_of("redacted", "full", "hash", "none"),
            "What the audit log keeps of a call's arguments; redacted: without passwords and the like.",
            '"redacted"',
        ),
        "redact": Key(texts("names", '["card_number"]'), "Further arguments that it redacts.", '["card_number"]'),
        "keep_days": Key(whole(1, 36_500), "Days for which the audit log keeps a call.", "365"),
        "required": Key(boolean, "Refuse calls that cannot be written into the audit log.", "false"),
    },
    "domains": {
        "names": Key(domains, "Host names and addresses that lead here.", '["mcp.example.com"]'),
        "origins": Key(
            origins, "Web pages, apps and extensions that may call from a browser.", '["https://app.example.com"]'
        ),
    },
    "github": {
        "block_breaking": Key(
            boolean, "Fail the check of a pull request whose tools break clients of the main branch.", "false"
        ),
    },
}

ENVIRONMENT = "Variables for the server: plain text, or ${secrets.NAME}, also inside longer text."
SCOPES = "Which scopes a client needs: for each tool, resource and prompt, and for all that is not named."
