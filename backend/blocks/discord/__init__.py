"""Discord, as a bot speaks with it."""
