"""Letters as `.eml` files in a folder, for a server that has no mail server."""

import asyncio
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.adapters.mail.message import as_message
from backend.core.errors import Unavailable
from backend.core.ids import derived_id
from backend.ports.mail import Letter

#: Names sort by time; a draft is what a crash has left of one.
_LETTER: Final = re.compile(r"\d{8}T\d{6}-[0-9a-f-]+\.(eml|tmp)")


class OutboxMailer:
    """Writes letters. The same letter again is the same file."""

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        try:
            await asyncio.to_thread(self._write, letter)
        except OSError as exc:
            raise Unavailable(f"the outbox {self._folder} cannot be written: {exc}") from exc

    async def close(self) -> None:
        pass

    async def delete_before(self, before_us: int) -> int:
        """
        Delete letters made before *before_us*; return how many. What else lies there stays.

        Raises:
            Unavailable: If the folder cannot be read or changed.
        """
        try:
            return await asyncio.to_thread(self._delete_before, _moment(before_us))
        except OSError as exc:
            raise Unavailable(f"the outbox {self._folder} cannot be tidied: {exc}") from exc

    def _delete_before(self, moment: str) -> int:
        if not self._folder.is_dir():
            return 0
        deleted = 0
        for path in self._folder.iterdir():
            if _LETTER.fullmatch(path.name) and path.name < moment:
                path.unlink(missing_ok=True)
                deleted += 1
        return deleted

    def _write(self, letter: Letter) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._folder / f"{_moment(letter.sent_us)}-{derived_id('letter', letter.key)}.eml"
        made = place.with_suffix(".tmp")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(as_message(letter, sender=self._sender).as_bytes())
            file.flush()
            os.fsync(file.fileno())
        made.replace(place)


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y%m%dT%H%M%S")
