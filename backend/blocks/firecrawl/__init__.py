"""Firecrawl: pages of the web, read and searched by a service."""
