"""Holds what developers of homeport run, and nobody installs: the command reference, and a release."""
