"""Contains the hosts of a deployed server: the worker of the embedded platform, and the function on AWS Lambda.

A host loads the server, wraps it in the App and brings it requests. This room has the worker, the zygote it is forked
from, the keeper of a zygote's room, and what confines them; Lambda has a folder. Nothing else in the runtime imports
hosts.
"""
