"""How the app meets the world."""
