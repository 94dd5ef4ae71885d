"""A deployed server as a function on AWS Lambda, streaming, without awslambdaric and without boto3.

`host` asks the Runtime API for events and answers them; `buffered` is the same behind plain awslambdaric. An event of a
Function URL becomes an ASGI request (events, request_cycle). Workers never import this.
"""
