"""ZeroBounce: whether mail addresses are real."""
