"""Floor 2: specs that every adapter must pass, and a clock that tests move. Shipped."""
