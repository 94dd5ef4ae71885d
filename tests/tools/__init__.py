"""Tests what developers run."""
