"""What a laptop needs to reach a platform: the API's client, ways to connect to it, and a build that happens there.

The platform is this machine's, by its Unix socket, or one elsewhere, by HTTPS with a token. Commands and the local
target import it; the platform itself only what both sides must agree on (upload, connections).
"""
