"""Tests of the engine, in one process over a real database file."""
