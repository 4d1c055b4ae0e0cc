"""Blocks that call tools of servers that speak MCP."""
