"""Sends what the platform knows of its projects to an OpenTelemetry collector: spans, logs and metrics.

Nothing is queued for it: `spans` and `logs` read what is stored anyway from where `cursors` says that it was read to,
and `metrics` are the counters. `exporter` sends them with `platform_cli.otlp`. The control plane runs it.
"""
