"""Agreement with the facts that other servers set."""
