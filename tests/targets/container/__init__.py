"""Projects in containers of a real engine."""
