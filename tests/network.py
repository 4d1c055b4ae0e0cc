"""Machines of their own for tests: network namespaces whose packets can be dropped without a word."""

import ctypes
import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import pytest

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
#: Nobody has this address, so nobody takes what is sent to it.
_NOBODY: Final = "02:00:00:00:00:01"
_NUMBERS: Final = itertools.count(1 + 20 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))


class Machine:
    """
    A namespace, tied to this one by a cable. Use it as a context manager; it needs root.

    Attributes:
        host: The address of this machine, as that one sees it.
        name: Of the namespace, for `ip netns exec`.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0 or not shutil.which("ip"):
            pytest.skip("network namespaces need root, and the program ip")
        number = next(_NUMBERS)
        self.name = f"agpt{os.getpid()}n{number}"
        self.host, self.address = f"10.213.{number}.1", f"10.213.{number}.2"
        self._here, self._there = f"agpt{number}h", f"agpt{number}t"

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there)
            _ip("link", "set", self._there, "netns", self.name)
            _ip("addr", "add", f"{self.host}/24", "dev", self._here)
            _ip("link", "set", self._here, "up")
            self._inside("addr", "add", f"{self.address}/24", "dev", self._there)
            self._inside("link", "set", self._there, "up")
            self._inside("link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _ip("netns", "del", self.name)

    def vanish(self) -> None:
        """Drop all packets, in both directions: nobody is told, as when the power goes."""
        nobody = ("lladdr", _NOBODY, "nud", "permanent", "dev")
        _ip("neigh", "replace", self.address, *nobody, self._here)
        self._inside("neigh", "replace", self.host, *nobody, self._there)

    def come_back(self) -> None:
        """Let packets through again."""
        _ip("neigh", "del", self.address, "dev", self._here)
        self._inside("neigh", "del", self.host, "dev", self._there)

    def run(self, work: Callable[[], T]) -> T:
        """Return what *work* gives on that machine; threads that it begins are there, too."""
        return self.begin(work)()

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin *work* on that machine; return what waits for its end."""
        found: list[Any] = []
        errors: list[BaseException] = []

        def there() -> None:
            try:
                self._go_there()
                found.append(work())
            except BaseException as exc:  # noqa: BLE001 - it is raised where it is waited for
                errors.append(exc)

        thread = threading.Thread(target=there)
        thread.start()

        def ended() -> T:
            thread.join()
            if errors:
                raise errors[0]
            result: T = found[0]
            return result

        return ended

    def _go_there(self) -> None:
        """Take the thread that calls this to that machine; whatever it opens from now on is there."""
        with Path(f"/run/netns/{self.name}").open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def _inside(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)
