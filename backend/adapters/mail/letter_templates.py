"""The templates of letters: those that come with the program, and an operator's own over them."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from backend.core.errors import CannotStart

#: No template is longer than this, in bytes.
MAX_BYTES: Final = 128 * 1024


def load_templates(folder: Path | None = None) -> Mapping[str, str]:
    """
    Return the texts of all templates by file name.

    Args:
        folder: Where an operator's own ones lie, under the same names; None: nowhere.

    Raises:
        CannotStart: If a file there cannot be read, is too large, or has a name of no template.
    """
    if folder is None:
        return known_templates()
    texts = dict(known_templates())
    try:
        found = sorted(folder.iterdir())
    except OSError as exc:
        raise CannotStart(f"NOTICE_TEMPLATES_DIR {folder} cannot be read: {exc}") from exc
    for path in found:
        if path.name.startswith("."):
            continue  # left by an editor
        if path.name not in texts:
            names = ", ".join(sorted(texts))
            raise CannotStart(f"{path} is no template of a letter; these are {names}")
        texts[path.name] = _read(path)
    return texts


@cache
def known_templates() -> Mapping[str, str]:
    """Return the texts of those that come with the program, read once: before the fork, for all services."""
    return {
        entry.name: entry.read_text("utf-8")
        for entry in resources.files(__package__).joinpath("templates").iterdir()
        if entry.name.endswith((".html", ".txt"))
    }


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise CannotStart(f"{path} is larger than {MAX_BYTES} bytes: no template may be")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CannotStart(f"{path} cannot be read: {exc}") from exc
