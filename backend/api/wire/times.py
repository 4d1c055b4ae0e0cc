"""Times on the wire; see backend.core.times."""

from backend.core.times import iso, iso_or_none

__all__ = ["iso", "iso_or_none"]
