"""The Model Context Protocol, as a server: a user's agents as tools (docs/howto/use-mcp.md)."""
