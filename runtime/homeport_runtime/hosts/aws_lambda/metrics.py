"""Makes the records of calls documents of CloudWatch's embedded metric format, of which it makes metrics by itself: no
request, no permission, and nothing to flush before a freeze
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
"""

from __future__ import annotations

import json
import time
from typing import Any

from ...guard.operations import OTHER
from ...telemetry import encode

# Set to 1 for a project whose fastmcp.toml asks for metrics.
VARIABLE = "HOMEPORT_METRICS"
NAMESPACE = "homeport"
_METRICS = '[{"Name":"duration","Unit":"Milliseconds"},{"Name":"failed","Unit":"Count"}]'
_DIRECTIVE = f'[{{"Namespace":"{NAMESPACE}","Dimensions":[["project"],["project","tool"]],"Metrics":{_METRICS}}}]'
# What is refused or unknown must not make a metric of a name that a stranger has chosen: each is billed.
_STRANGE = ("unknown", "refused", "limited")


def metrics_in(record: str) -> str:
    """Returns the members that make a record of a call such a document, and nothing for other records.

    The record has its project already.
    """
    if '"call":{' not in record:
        return ""
    try:
        call: Any = json.loads(record)["call"]
        tool, failed = str(call["tool"]), call["status"] != "ok"
        milliseconds = float(call["ms"])
    except (ValueError, KeyError, TypeError):
        return ""
    if call.get("kind") in _STRANGE:
        tool = OTHER
    said = f'"tool":{encode(tool)},"duration":{milliseconds},"failed":{int(failed)}'
    return f',{said},"_aws":{{"Timestamp":{time.time_ns() // 1_000_000},"CloudWatchMetrics":{_DIRECTIVE}}}'
