"""The blocks that come with the server."""
