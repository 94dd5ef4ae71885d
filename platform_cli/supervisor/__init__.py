"""The embedded data plane: it owns one listening socket per project and starts, switches and stops workers on it."""
