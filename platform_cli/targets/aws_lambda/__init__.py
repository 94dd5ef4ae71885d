"""AWS Lambda: a function per project, a version per release. AWS itself is the state, by names and tags."""
