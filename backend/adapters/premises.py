"""The data directory around the database: who may read it, how full its disk is, lost halves."""

import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backend.ports.doctor import Broken, PlaceRule

if TYPE_CHECKING:
    from backend.adapters.files.trees import BucketTree, Tree

#: A log of the database that is longer is not carried over into it any more.
LONGEST_WAL: Final = 256 * 1024 * 1024
#: With less free space a start, or a long commit, may fail.
LEAST_FREE: Final = 256 * 1024 * 1024
_PRIVATE: Final = ("run", "logs", "keys", "files", "outbox", "doctor")
_SECRET: Final = ("agpt.db", "agpt.db-wal", "agpt.db-shm", "keys/*", "outbox/*", "doctor/*")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITERS: Final = stat.S_IWGRP | stat.S_IWOTH


class DataPremises:
    """See backend.ports.doctor.Premises."""

    def __init__(
        self,
        data_dir: Path,
        *,
        aside: Path,
        now_s: Callable[[], float],
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        longest_wal: int = LONGEST_WAL,
        bucket: "BucketTree | None" = None,
    ) -> None:
        """
        Take *data_dir*.

        Args:
            aside: The folder to which halves of files go; made when there is one.
            bucket: Where files lie, if not in *data_dir*.
        """
        self._data_dir = data_dir
        self._aside = aside
        self._now_s = now_s
        self._free_bytes = free_bytes
        self._longest_wal = longest_wal
        self._bucket = bucket
        self._shown = "files/" if bucket is None else ""
        self._looks = {
            PlaceRule.MODES: self._open_to_others,
            PlaceRule.WAL: self._long_wal,
            PlaceRule.DISK: self._full_disk,
            PlaceRule.FILES: self._halves,
        }

    def broken(self, rule: PlaceRule) -> Iterator[Broken]:
        yield from self._looks[rule]()

    def needs_alone(self, rule: PlaceRule) -> bool | None:
        return None if rule is PlaceRule.DISK else False

    def mend(self, rule: PlaceRule, *, is_trial: bool) -> list[str]:
        found = list(self.broken(rule))
        if rule is PlaceRule.MODES:
            for broken in found if not is_trial else ():
                path = self._data_dir / broken.key
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~self._too_much(path))
            return [f"{broken.row} is for its owner alone now" for broken in found]
        if rule is PlaceRule.WAL and found:
            return ["the -wal file was carried over"] if is_trial or self._carried_over() else []
        if rule is PlaceRule.FILES:
            alone = [broken for broken in found if broken.key]
            aside = (one for one in alone if self._set_aside(one.key, is_trial=is_trial))
            return [f"{broken.row} was set aside" for broken in aside]
        return []

    def _open_to_others(self) -> Iterator[Broken]:
        for path in self._private():
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & self._too_much(path):
                name = str(path.relative_to(self._data_dir))
                shown = "the data directory" if path == self._data_dir else name
                yield Broken(row=shown, detail=f"others may use it: mode {mode:04o}", key=name)

    def _private(self) -> Iterator[Path]:
        found = [self._data_dir, *(self._data_dir / name for name in _PRIVATE)]
        found += [path for pattern in _SECRET for path in sorted(self._data_dir.glob(pattern))]
        yield from (path for path in found if path.exists() and not path.is_symlink())

    def _too_much(self, path: Path) -> int:
        # What is in it is closed to others already; they may look at its names, as its owner likes.
        return _WRITERS if path == self._data_dir else _OTHERS

    def _long_wal(self) -> Iterator[Broken]:
        path = self._data_dir / "agpt.db-wal"
        length = path.stat().st_size if path.exists() else 0
        if length > self._longest_wal:
            yield Broken(row=path.name, detail=f"it has {length:,} bytes")

    def _carried_over(self) -> bool:
        path = self._data_dir / "agpt.db"
        with closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as connection:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def _full_disk(self) -> Iterator[Broken]:
        free = self._free_bytes(self._data_dir)
        if free < LEAST_FREE:
            yield Broken(row="the disk of the data directory", detail=f"{free:,} bytes are free")

    def _halves(self) -> Iterator[Broken]:
        from backend.adapters.files.halves import halves  # noqa: PLC0415 -- `agpt --help` does without

        for half in halves(self._tree(), self._now_s()):
            key = half.name if half.is_alone else ""
            yield Broken(row=f"{self._shown}{half.name}", detail=half.detail, key=key)

    def _tree(self) -> "Tree":
        from backend.adapters.files.trees import FolderTree  # noqa: PLC0415 -- the same

        return self._bucket or FolderTree(self._data_dir / "files")

    def _set_aside(self, name: str, *, is_trial: bool) -> bool:
        from backend.adapters.files.halves import set_aside  # noqa: PLC0415 -- the same

        if is_trial:
            return True
        self._aside.parent.mkdir(mode=0o700, exist_ok=True)
        return set_aside(self._tree(), name, self._aside / "files" / name)
