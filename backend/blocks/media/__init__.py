"""Blocks that work on video and sound. The library is imported in worker processes only."""
