"""Stores on real databases."""
