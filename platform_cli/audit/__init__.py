"""Keeps who called what: one line per call in a project's audit log, each line bound to the one before it by a hash.

This room checks what a worker says of a call, writes it into the chain, reads, searches and verifies the chain, and
gives it other systems' forms. The supervisor writes with it; the platform's API and the commands read. What a worker
says is decided in the runtime (homeport_runtime.guard.audit).
"""
