"""Tests of the command line's parts; tests/e2e/test_cli.py types whole commands."""
