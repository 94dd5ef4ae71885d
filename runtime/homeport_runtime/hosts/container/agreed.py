"""Names what a container's zygote and the supervisor outside agree on; a control plane imports this at each start."""

from __future__ import annotations

# The exit code for a socket that cannot be connected to (EX_UNAVAILABLE of sysexits.h): engines whose containers have
# another kernel show the file, but nobody listens behind it.
NO_SOCKET = 69
# What the connections of a worker are for, in the order in which a zygote passes descriptors on.
ROLES = ("control", "stdout", "stderr")
