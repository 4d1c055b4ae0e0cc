"""Tests of how executors know of each other."""
