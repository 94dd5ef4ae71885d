"""Sends requests to hosts that others have chosen, so that they are no way into the platform's own network (SSRF).

`addresses` says which addresses belong to the public internet, `requests` connects to exactly what was looked at, and
`signature` signs what is sent. Sign-in, alerts and exports use it.
"""
