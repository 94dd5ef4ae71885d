"""Tries what the pages say: their commands run, the names of files and options in them exist."""
