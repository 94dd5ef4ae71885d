"""Serves a deployed server as a function on AWS Lambda, with streaming, without awslambdaric and without boto3.

host.py takes events from the Runtime API and answers them; buffered.py does the same under plain awslambdaric. An event
of a Function URL becomes an ASGI request (events.py, request_cycle.py). Workers never import this room.
"""
