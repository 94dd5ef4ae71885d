"""What a deploy has to tell of a project beyond that it is live: a module for each kind of finding.

Such as files that stayed behind, variables that nothing sets, and a server that everybody may call. They look at the
project's code and configuration; none of them keeps a deploy from going on, but a server that offers nothing.
Commands and deployers import it.
"""
