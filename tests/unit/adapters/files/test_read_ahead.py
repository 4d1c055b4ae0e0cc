"""Reading ahead: in order, several at once, no long file, and none that nobody asks for any more."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest

from backend.adapters.files.trees import Entry, Readable, read_ahead
from backend.core.errors import NotFound, Unavailable

SHORT = 1024 * 1024


class Far:
    """A tree that takes a while to give anything."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.opened_names: list[str] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def entries(self) -> Iterator[Entry]:
        for name in sorted(self.files):
            yield Entry(name=name, size_bytes=len(self.files[name]), modified_s=0.0)

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, Readable]]:
        with self._lock:
            self.opened_names.append(name)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.01)
        with self._lock:
            self.at_once -= 1
        content = self.files.get(name)
        if content is None:
            raise NotFound(name)
        if content == b"broken":
            raise Unavailable(name)
        yield len(content), BytesIO(content)


def far(files: dict[str, bytes]) -> Any:
    return Far(files)


def test_files_come_in_order_and_whole_and_are_read_side_by_side() -> None:
    tree = far({f"a/{number:03}": b"%d" % number * number for number in range(100)})

    found = {}
    for entry, opened in read_ahead(tree, tree.entries()):
        with opened() as (size, source):
            found[entry.name] = source.read(size + 1)

    assert found == tree.files
    assert list(found) == sorted(found)
    assert 2 <= tree.most_at_once <= 8
    assert len(tree.opened_names) == 100


def test_a_long_file_is_read_only_when_it_is_asked_for() -> None:
    tree = far({"a/1": b"1" * (SHORT + 1), "a/2": b"2" * SHORT})

    [(_, long), (_, short)] = read_ahead(tree, tree.entries())
    assert tree.opened_names == ["a/2"]

    for opened in (long, short):
        with opened() as (size, source):
            assert len(source.read(size)) == size
    assert tree.opened_names == ["a/2", "a/1"]


def test_what_was_short_and_is_long_now_is_not_held() -> None:
    tree = far({"a/1": b"x"})
    [(entry, opened)] = read_ahead(far({"a/1": b"y" * (SHORT + 1)}), tree.entries())

    with opened() as (size, source):
        assert (entry.size_bytes, size, len(source.read(size))) == (1, SHORT + 1, SHORT + 1)


def test_what_is_wrong_with_a_file_is_said_where_it_is_opened() -> None:
    tree = far({"a/1": b"broken", "a/2": b"fine"})
    entries = [*tree.entries(), Entry(name="a/3", size_bytes=1, modified_s=0.0)]

    said = []
    for _, opened in read_ahead(tree, entries):
        try:
            with opened() as (size, source):
                said.append(source.read(size).decode())
        except (NotFound, Unavailable) as exc:
            said.append(type(exc).__name__)

    assert said == ["Unavailable", "fine", "NotFound"]


def test_who_asks_for_no_more_waits_for_no_more() -> None:
    tree = far({f"a/{number:04}": b"x" for number in range(5_000)})
    reading: Any = read_ahead(tree, tree.entries())

    next(reading)
    reading.close()

    assert len(tree.opened_names) <= 32
    with pytest.raises(StopIteration):
        next(reading)
