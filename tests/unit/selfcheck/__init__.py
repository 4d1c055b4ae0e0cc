"""The parts of `agpt selfcheck` that need no process."""
