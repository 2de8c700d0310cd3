"""Frameworks, in this process."""
