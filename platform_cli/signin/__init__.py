"""Implements the authorization server of the platform at home (OAuth 2.1), by which people sign in to projects here,
and to resources elsewhere that were registered.

Rules, stores and pages are here; the control plane mounts `routes` on its TCP side and says which projects there are.
What a deployment checks of a token is in homeport_runtime.guard. Only controlplane imports this room, but for what
finds the keys of an issuer (issuers.py), which platform_client uses, too.
"""
