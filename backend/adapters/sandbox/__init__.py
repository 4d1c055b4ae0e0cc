"""Sandboxes: full CPython under bubblewrap where that works, else a part of Python in Monty."""

from backend.adapters.sandbox.chosen import ChosenSandboxes, Kind

__all__ = ["ChosenSandboxes", "Kind"]
