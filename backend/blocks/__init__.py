"""The blocks that come with the server, one folder per provider or topic."""
