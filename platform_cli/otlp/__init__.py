"""Sends telemetry to an OpenTelemetry collector by OTLP/HTTP (https://opentelemetry.io/docs/specs/otlp/).

`endpoints` reads the environment's OTEL_* variables, `encoding` makes messages of the three signals in JSON, and
`sender` posts them. The control plane decides what is sent, and when.
"""
