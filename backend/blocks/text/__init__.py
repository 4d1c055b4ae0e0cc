"""Blocks that make and take apart text."""
