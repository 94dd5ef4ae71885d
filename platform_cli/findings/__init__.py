"""What a deploy has to tell of a project beyond that it is live: one module for each kind of finding."""
