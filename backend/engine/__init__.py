"""Runs agents: picks runs up, steps them, runs their blocks, keeps a journal."""
