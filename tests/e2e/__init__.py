"""Tests with real processes, real sockets and real kills."""
