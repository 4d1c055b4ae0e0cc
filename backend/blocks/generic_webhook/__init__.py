"""Blocks that any sender of JSON can start, without a service that registers itself."""
