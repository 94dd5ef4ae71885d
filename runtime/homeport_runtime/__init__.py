"""Runs inside every deployment: it loads the user's server, unchanged, and serves it over HTTP.

It uses the standard library and what the server itself brings (uvicorn is part of every layer). Nothing here imports
`platform_cli`, and no SDK is imported unless the user's server imported it first.
"""
