"""Implements a Kubernetes cluster as a target: images are pushed to a registry, and objects are applied server-side.

Nothing is kept at home. Labels and annotations of the objects say what is deployed: the ReplicaSets of a Deployment are
the project's releases.
"""
