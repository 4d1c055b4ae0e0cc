"""What looks for viruses in files that people send."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Protocol


class VirusScanner(Protocol):
    """See the module."""

    def checked(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """
        Yield the pieces of *content*, and raise at their end if they must not be kept.

        Raises:
            BadRequest: If something was found, or the file is too large to be looked at.
            Unavailable: If it could not be looked at: what is not known to be clean is not kept.
        """

    async def said(self) -> str:
        """Say in a few words whether files are looked at, and by whom."""
