"""Blocks of Slack."""
