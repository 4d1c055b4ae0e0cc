"""Blocks that know the time."""
