"""Tests the room `audit_exports`."""
