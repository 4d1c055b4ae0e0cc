"""How much each run has stored: counted once from the disk, then kept up while it writes."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from backend.core.errors import TooLarge
from backend.ports.files import FileLimits

#: Runs that are remembered; an older one is counted again when it writes again.
_REMEMBERED: Final = 1000


@dataclass(slots=True)
class Used:
    """What one run has stored. *writing* counts the files under way: they keep it remembered."""

    size_bytes: int = 0
    files: int = 0
    writing: int = 0


class Share:
    """What one file under way takes of its run's quota; given back unless it is kept."""

    def __init__(self, used: Used, limits: FileLimits) -> None:
        self.size_bytes = 0
        self._used = used
        self._limits = limits
        self._kept = False
        used.writing += 1

    def take(self, more: int) -> None:
        """
        Take *more* bytes.

        Raises:
            TooLarge: If that is over a limit; nothing is taken then.
        """
        limits, used = self._limits, self._used
        if self.size_bytes + more > limits.file_bytes:
            raise TooLarge(
                f"the file is larger than {_megabytes(limits.file_bytes)} (setting MAX_FILE_SIZE_MB)"
            )
        if used.size_bytes + more > limits.run_bytes:
            raise TooLarge(
                f"the files of this run are larger than {_megabytes(limits.run_bytes)} together "
                "(setting MAX_RUN_FILES_MB)"
            )
        self.size_bytes += more
        used.size_bytes += more

    def keep(self, *, instead_of: int | None) -> None:
        """Keep what was taken, *instead_of* a file of that size if there was one."""
        self._kept = True
        if instead_of is None:
            self._used.files += 1
        else:
            self._used.size_bytes -= instead_of

    def close(self) -> None:
        """End; must be called once."""
        self._used.writing -= 1
        if not self._kept:
            self._used.size_bytes -= self.size_bytes


class Quota:
    """The counts of one process, which is the only one that writes into a run's folder."""

    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._used: OrderedDict[str, Used] = OrderedDict()

    def knows(self, run: str) -> bool:
        """Say whether *run* is counted; while it writes it always is."""
        return run in self._used

    def learn(self, run: str, used: Used) -> None:
        """Remember a count of the disk, unless *run* has begun to write meanwhile."""
        self._used.setdefault(run, used)
        idle = [name for name, one in self._used.items() if not one.writing and name != run]
        for name in idle[: max(0, len(self._used) - _REMEMBERED)]:
            del self._used[name]

    def forget_idle(self, run: str) -> None:
        """Forget *run* unless it writes, so that it is counted again."""
        used = self._used.get(run)
        if used is not None and not used.writing:
            del self._used[run]

    def share(self, run: str) -> Share:
        """
        Begin a file of *run*, which is known.

        Raises:
            TooLarge: If the run has too many files.
        """
        used = self._used[run]
        self._used.move_to_end(run)
        if used.files + used.writing >= self._limits.run_files:
            raise TooLarge(
                f"this run has {self._limits.run_files} files already (setting MAX_FILES_PER_RUN)"
            )
        return Share(used, self._limits)

    def forget(self, run: str) -> None:
        """Forget *run*: its files are gone."""
        self._used.pop(run, None)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / (1024 * 1024):g} MB"
