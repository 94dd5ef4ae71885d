"""Secrets: values that a project's server needs and nobody else may see, encrypted at rest and never shown again.

How they are named, referred to, read from a .env file and kept at home is here; Secrets Manager is with the Lambda
target. Values leave this room for a server's environment alone.
"""
