"""A server is run as the program it is, and where it would start to serve, the host that runs it serves instead.

What `python server.py` would offer is thereby what is offered: tools that main() registers, options that run() is
given, what is open around it. `program.py` runs the program, `transports.py` knows where the libraries start to serve,
`point.py` is what happens there, `hooks.py` gets to a library as soon as it is imported, and
`replaced.py` to a program before it becomes another one.
"""
