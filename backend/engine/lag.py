"""How late the event loop comes to what it was asked for: what every run waits, at worst."""

import asyncio
from collections import deque
from typing import Final

#: How often it is looked: what holds the loop for longer is seen for certain.
STEP_S: Final = 0.1
#: Looks of one minute.
_RECENT: Final = 600


class LoopLag:
    """
    Looks all the time, while `serve` runs.

    Attributes:
        most_s: The worst since the start, in seconds.
    """

    def __init__(self) -> None:
        self.most_s = 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)

    @property
    def recent_s(self) -> float:
        """The worst of the last minute, in seconds."""
        return max(self._recent, default=0.0)

    async def serve(self) -> None:
        """Look until cancelled."""
        now_s = asyncio.get_running_loop().time
        while True:
            due_s = now_s() + STEP_S
            await asyncio.sleep(STEP_S)
            self.note(now_s() - due_s)

    def note(self, late_s: float) -> None:
        """Take one look's outcome."""
        late_s = max(0.0, late_s)
        self._recent.append(late_s)
        self.most_s = max(self.most_s, late_s)
