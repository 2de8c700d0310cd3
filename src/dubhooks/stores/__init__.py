"""Stores for claims; each module names the extra that it needs."""
