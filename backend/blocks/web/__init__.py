"""Blocks that speak with any server over HTTP."""
