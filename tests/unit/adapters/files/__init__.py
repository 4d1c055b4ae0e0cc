"""Tests of the places for files."""
