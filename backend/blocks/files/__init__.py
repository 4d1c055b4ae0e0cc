"""Blocks that take, keep and read files."""
