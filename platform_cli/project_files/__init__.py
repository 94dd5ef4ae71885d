"""Reads what a project's files say without running them: imports, SDKs, ignore rules, and the package of an import.

The source may be anything. Nothing here knows the project model, the network or uv. The rooms that choose an entry
point (config), infer requirements (pipeline) and look for what is missing (findings) import it.
"""
