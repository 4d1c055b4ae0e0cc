"""Jina's reader and search, and what stands in for them without a key."""
