"""Ways to know which executors live."""
