"""The control plane: it keeps what was deployed and tells the supervisor what to run."""
