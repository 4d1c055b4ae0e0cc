"""Tests of the face for block authors."""
