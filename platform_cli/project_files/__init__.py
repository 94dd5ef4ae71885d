"""What a project's files say without being run: imports, SDKs, what .gitignore names, which package an import is.

Reading alone, of source that may be anything: no project model, no network, no uv. The rooms that choose an entry
point (config), infer requirements (pipeline) and look for what is missing (findings) import it.
"""
