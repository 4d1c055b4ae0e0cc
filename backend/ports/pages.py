"""The product's own documentation, as it was shipped: pages of Markdown."""

from collections.abc import Mapping
from typing import Protocol


class Pages(Protocol):
    """All pages of this installation."""

    async def all(self) -> Mapping[str, str]:
        """Return the text of each page by its path, like ``howto/schedules.md``, in their order."""
