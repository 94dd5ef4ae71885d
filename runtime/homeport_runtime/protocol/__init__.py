"""The Model Context Protocol on the wire: JSON-RPC, event streams, sessions, and one era translated into another.

Protocol 2026-07-28 is put in front of servers of the older era here (modern), and what every client asks first is
recorded (discovery). No SDK is imported and no process is known; everything above, from guard to hosts, imports it.
"""
