"""The embedded data plane: it owns a listening socket for each project, and starts, switches and stops workers on it.

A worker serves one release, forked from the zygote of its layer in a room of its own. What they write on their
channels is hostile and checked here. It decides nothing about releases: the controlplane and dev, which import it, do.
"""
