"""A sample of every event: what Dub sends, with made-up ids and people."""
