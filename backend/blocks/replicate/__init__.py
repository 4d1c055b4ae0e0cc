"""Replicate: models of others that make pictures, and anything else."""
