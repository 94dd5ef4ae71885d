"""homeport dev: one project served from its own folder in the foreground, without a platform, and again on each save.

It uses the pipeline and the supervisor as the platform does, with a draft in the place of a release. Only its command
imports it.
"""
