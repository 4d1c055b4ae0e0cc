"""Blocks that decide, repeat and compute."""
