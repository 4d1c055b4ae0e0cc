"""Tests of ways for mail."""
