"""Reddit: posts, comments, communities and messages."""
