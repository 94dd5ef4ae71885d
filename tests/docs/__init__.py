"""What the pages say is tried: their commands run, the names of files and options in them exist."""
