"""Tests of the sample graphs."""
