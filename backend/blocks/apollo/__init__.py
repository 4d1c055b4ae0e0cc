"""Apollo: who works where."""
