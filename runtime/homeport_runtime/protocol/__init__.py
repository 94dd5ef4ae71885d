"""Implements the Model Context Protocol on the wire: JSON-RPC, event streams, sessions, and translation between eras.

It serves protocol 2026-07-28 for servers of the older era (modern.py), and records what every client asks first
(discovery.py). It imports no SDK and knows no process; everything above, from guard to hosts, imports it.
"""
