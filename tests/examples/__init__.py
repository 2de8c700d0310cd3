"""The examples, on real servers."""
