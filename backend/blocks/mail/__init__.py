"""Blocks that send mail through any mail server."""
