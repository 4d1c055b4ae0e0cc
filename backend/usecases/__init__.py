"""Sample graphs, to try the server with."""
