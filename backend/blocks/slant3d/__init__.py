"""Blocks for Slant 3D, which prints and ships what is ordered."""
