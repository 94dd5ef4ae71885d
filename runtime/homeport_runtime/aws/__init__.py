"""The two AWS services that a server needs while it runs, without boto3: importing that costs more than a cold start.

Blocking; an event loop calls it through asyncio.to_thread.
"""
