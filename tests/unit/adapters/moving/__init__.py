"""Rows and files on their way."""
