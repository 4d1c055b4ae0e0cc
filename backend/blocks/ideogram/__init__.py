"""Ideogram: pictures, and words in them that can be read."""
