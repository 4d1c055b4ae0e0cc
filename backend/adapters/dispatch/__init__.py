"""Ways to wake the executor up."""
