"""Tests of the storage adapter."""
