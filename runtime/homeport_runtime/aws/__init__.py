"""Calls the two AWS services that a running server needs, without boto3, whose import takes longer than a cold start.

The calls block, so an event loop makes them through asyncio.to_thread.
"""
