"""Contains what a project is on Kubernetes: the objects that run its image, as data.

Nothing here talks to a cluster or builds an image. Commands and targets import this room; it reads a project and knows
how images are laid out.
"""
