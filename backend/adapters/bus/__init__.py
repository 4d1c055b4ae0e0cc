"""Ways in which committed changes reach those who watch."""
