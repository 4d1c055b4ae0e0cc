"""Letters as `.eml` files in a folder, for a server that has no mail server."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

from backend.adapters.mail.message import as_message
from backend.core.errors import Unavailable
from backend.core.ids import derived_id
from backend.ports.mail import Letter


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

    def _write(self, letter: Letter) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.fromtimestamp(letter.sent_us / 1e6, UTC).strftime("%Y%m%dT%H%M%S")
        place = self._folder / f"{moment}-{derived_id('letter', letter.key)}.eml"
        made = place.with_suffix(".tmp")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(as_message(letter, sender=self._sender).as_bytes())
            file.flush()
            os.fsync(file.fileno())
        made.replace(place)
