"""Stores for claims."""
