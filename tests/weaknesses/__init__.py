"""Weaknesses that servers of this kind have had: each is named, and shown not to be here."""
