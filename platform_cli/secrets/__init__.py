"""Keeps secrets: values that a project's server needs and nobody else may see, encrypted at rest and never shown again.

This room names secrets, resolves references to them, reads .env files and stores secrets at home; Secrets Manager's
store is with the Lambda target. Values leave this room only for a server's environment.
"""
