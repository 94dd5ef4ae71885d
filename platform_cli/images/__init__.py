"""Makes container images without an engine, writes them as OCI layouts, and pushes them to registries.

An image is a base, fetched by the registry API, and three layers on top of it: packages, runtime, app. The same bundle
on the same base has the same digest, whoever builds it. What decides which bundle an image has, and where it runs, is
in the rooms above; targets and commands import this room.
"""
