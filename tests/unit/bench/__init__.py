"""The simulation of bench/scale.py."""
