"""Blocks by which agents remember things between runs."""
