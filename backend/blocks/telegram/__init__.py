"""Blocks of Telegram."""
