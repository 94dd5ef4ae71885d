"""One file per command family: parse, call, hand to output."""
