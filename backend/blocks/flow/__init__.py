"""Blocks by which a graph takes values, gives them, keeps them and runs other graphs."""
