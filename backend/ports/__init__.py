"""What the program needs from outside, as Protocols."""
