"""Floor 0: the domain. Pure: no I/O, no clock, no random, no await, no logging."""
