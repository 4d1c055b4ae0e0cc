"""Notion: pages and databases."""
