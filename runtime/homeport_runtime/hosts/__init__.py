"""Contains the hosts of a deployed server: the worker of the embedded platform, the function on AWS Lambda, and what an
image runs.

A host loads the server, wraps it in the App and brings it requests. This room has the worker, the zygote it is forked
from, the keeper of a zygote's room, and what confines them; Lambda and containers have a folder each. Nothing else in
the runtime imports hosts.
"""
