"""Makes up what strangers, servers and files say: whatever it is, it is refused as it should be and breaks nothing.

`make test` runs each for a moment, `make fuzz` for long (run.py).
"""
