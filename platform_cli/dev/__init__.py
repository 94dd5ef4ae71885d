"""homeport dev: one project served from its own folder, in the foreground, without the control plane."""
