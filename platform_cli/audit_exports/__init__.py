"""Sends the lines of audit logs elsewhere: to syslog over TLS, a signed webhook, or an OpenTelemetry collector.

This room keeps the exports and how far each has come, reads the lines that one still lacks, and sends them, without any
call waiting for it. A line is sent again until its receiver has taken it, so that it may come twice and is never left
out. The control plane says which lines are durable; what is in a line is decided in the room `audit`.
"""
