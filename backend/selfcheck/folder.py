"""The private folder of a check."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.core.errors import CannotStart


class Folder:
    """A folder that goes at the end, unless it is to be kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keep = False


@contextmanager
def private_folder(parent: Path | None) -> Iterator[Folder]:
    """
    Make a folder in *parent*, or where temporary files are, and remove it at the end.

    Raises:
        CannotStart: If it cannot be made.
    """
    try:
        path = Path(tempfile.mkdtemp(prefix="agpt-selfcheck-", dir=parent)).resolve()
    except OSError as exc:
        place = parent or tempfile.gettempdir()
        raise CannotStart(f"No private folder can be made in {place}: {exc.strerror}.") from exc
    folder = Folder(path)
    try:
        yield folder
    finally:
        if not folder.keep:
            shutil.rmtree(path, ignore_errors=True)
