"""Runs a server as the program it is, and takes over where the program would start to serve.

The server is thereby what `python server.py` would serve: it has the tools that main() registers, the options that
run() gets, and what is open around it. `program.py` runs the program, `transports.py` knows where libraries start to
serve, and `point.py` what happens there; `hooks.py` patches a library as soon as it is imported, and `leaving.py` holds
back a program that leaves its process before it has served.
"""
