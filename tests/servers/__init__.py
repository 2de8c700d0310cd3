"""Frameworks on real servers."""
