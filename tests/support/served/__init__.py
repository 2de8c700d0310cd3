"""The applications that real servers serve."""
