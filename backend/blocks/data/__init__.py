"""Blocks that build and read lists and dictionaries."""
