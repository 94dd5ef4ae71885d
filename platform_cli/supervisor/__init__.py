"""Implements the embedded data plane: it owns each project's listening socket, and starts, switches and stops workers
on it.

A worker serves one release, forked from the zygote of its layer in a room of its own. What workers write on their
channels is hostile and checked here. This room decides nothing about releases; controlplane and dev, which import it,
do.
"""
