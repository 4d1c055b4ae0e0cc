"""The worker processes, tested."""
