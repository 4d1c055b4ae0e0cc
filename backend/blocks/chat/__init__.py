"""The copilot, which answers in conversations. No block for people's graphs."""
