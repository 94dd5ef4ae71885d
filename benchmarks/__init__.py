"""Ratios between homeport and a named peer, both measured in one run. See README.md."""
