"""Use cases: what users can have done. They know ports and the core, nothing of HTTP or SQL."""
