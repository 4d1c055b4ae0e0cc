"""RevID: short videos of what is written."""
