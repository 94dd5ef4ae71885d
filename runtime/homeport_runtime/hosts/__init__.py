"""How a deployed server meets the world: as a worker of the embedded platform, or as a function on AWS Lambda.

A host loads the server, wraps it in the App and brings it requests. Here are the worker, the zygote it is forked from,
the keeper of a zygote's room, and what confines them; Lambda has a folder. Nothing else in the runtime imports hosts.
"""
