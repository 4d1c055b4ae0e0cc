"""The process layer: services, their supervisor, and what both need."""
