"""Large values of rows in an S3-compatible bucket, by the same names as in a folder."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from backend.adapters.files.bucket import Bucket
from backend.adapters.files.draft import VALUE
from backend.adapters.files.facts import checked_run
from backend.adapters.storage.value_files import digest_of, lost
from backend.core.errors import NotFound, ValueLost

#: The sweep leaves alone what was written in the last ten minutes: for half of that a value that
#: was written by us is surely there. Later it is written again, which makes it fresh, too.
_SURE_S: Final = 300.0
_REMEMBERED: Final = 1_000
_AT_ONCE: Final = 8


class BucketValues:
    """See backend.adapters.storage.value_files.ValueStore."""

    def __init__(self, bucket: Bucket, *, now_s: Callable[[], float] = time.monotonic) -> None:
        """
        Use *bucket*.

        Args:
            now_s: The time, from any beginning.
        """
        self._bucket = bucket
        self._now_s = now_s
        self._lock = threading.Lock()
        self._written: OrderedDict[tuple[str, str], float] = OrderedDict()

    def write(self, files: Mapping[tuple[str, str], bytes]) -> None:
        now_s = self._now_s()
        with self._lock:
            fresh = [
                key for key in files if self._written.get(key, now_s - _SURE_S) <= now_s - _SURE_S
            ]

        def put(key: tuple[str, str]) -> None:
            self._bucket.put_now(_name(*key), files[key])

        if len(fresh) > 1:
            with ThreadPoolExecutor(min(_AT_ONCE, len(fresh))) as pool:
                list(pool.map(put, fresh))
        else:
            for key in fresh:
                put(key)
        with self._lock:
            for key in fresh:
                self._written[key] = now_s
                self._written.move_to_end(key)
            while len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)

    def read(self, root: str, digest: str, size_bytes: int) -> bytes:
        try:
            data = self._bucket.get_now(_name(root, digest))
        except NotFound as exc:
            raise ValueLost(lost("is missing", digest, size_bytes)) from exc
        if digest_of(data) != digest:
            raise ValueLost(lost("is damaged", digest, size_bytes))
        return data


def _name(root: str, digest: str) -> str:
    return f"{checked_run(root)}/{digest}{VALUE}"
