"""Serves a deployed server in a container: from its image alone, or as a zygote that a platform's supervisor orders.

serve.py is the image's own entry: the container's first process (first_process.py) starts one worker as its environment
says (settings.py, job.py) and ends it in good order. health.py is the image's health check. zygote.py forks workers for
a platform, which asks over a socket in a mounted folder. The folders are in layout.py. Nothing else in the runtime
imports this room.
"""
