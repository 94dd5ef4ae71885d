"""Secrets: values that a project's server needs and nobody else may see. Stored encrypted, never shown again."""
