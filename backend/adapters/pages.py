"""Pages of the documentation in a folder: shipped beside the code, or in the source tree."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import backend

#: Where a built package has them, and a source tree.
_SHIPPED: Final = Path(backend.__file__).parent / "shipped_docs"
_SOURCE: Final = Path(backend.__file__).parents[1] / "docs"
#: How the project decided things is for those who work on it.
_ROOMS: Final = ("tutorial", "howto", "reference", "explanation")
_MOST_BYTES: Final = 1024 * 1024


class FolderPages:
    """See backend.ports.pages.Pages. Reads when it is first asked, and keeps what it has read."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use *folder*; None: where this installation has them. No pages are no error."""
        self._folder = folder or (_SHIPPED if _SHIPPED.is_dir() else _SOURCE)
        self._pages: Mapping[str, str] | None = None

    async def all(self) -> Mapping[str, str]:
        """See the port."""
        if self._pages is None:
            self._pages = await asyncio.to_thread(self._read)
        return self._pages

    def _read(self) -> dict[str, str]:
        found = [path for room in _ROOMS for path in sorted((self._folder / room).glob("**/*.md"))]
        return {
            path.relative_to(self._folder).as_posix(): path.read_text("utf-8")
            for path in found
            if path.stat().st_size <= _MOST_BYTES
        }
