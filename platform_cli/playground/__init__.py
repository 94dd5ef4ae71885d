"""Contains what it takes to try a tool, a resource or a prompt by hand.

A form is made from a JSON schema, and what was typed into it becomes arguments (form.py, values.py); one
request goes to a server, raw and with everything that the server sends meanwhile (exchange.py, eras.py, wire.py);
snippets.py writes the same request for other clients. It knows no project and no platform: it gets contracts, URLs and
headers. The control plane and the console import it.
"""
