"""Keys that the first start makes for itself: `<data>/keys/*.key`, one secret per file, mode 0600."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from backend.core.errors import CannotStart

_BYTES: Final = 32
#: What somebody made up is shorter than what was drawn; 32 bytes are what HS256 asks for.
_LEAST_CHARACTERS: Final = 32
_FILES: Final = {
    "jwt_verify_key": "jwt.key",
    "encryption_key": "encryption.key",
    "unsubscribe_secret_key": "unsubscribe.key",
    "instance_key": "instance.key",
}


def new_key() -> str:
    """Return a fresh key: 32 random bytes in URL-safe base64, the form that Fernet wants."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


def short_key(found: Mapping[str, tuple[object, str]], *, signs: bool) -> str | None:
    """
    Return the first key that a setting gives and that could be guessed; None if there is none.

    Args:
        signs: The key for tokens signs them: it is a secret, not a public key.
    """
    names = ("instance_key", "unsubscribe_secret_key", *(["jwt_verify_key"] if signs else ()))
    given = {name: str(found.get(name, ("",))[0]) for name in names}
    return next((name for name in names if 0 < len(given[name]) < _LEAST_CHARACTERS), None)


def keys_of(data_dir: Path, found: Mapping[str, tuple[object, str]]) -> dict[str, tuple[str, str]]:
    """
    Return the keys that no setting gives, with the path of each. Makes those that are missing.

    Raises:
        CannotStart: If a key cannot be read or made, or its file is empty.
    """
    folder = data_dir / "keys"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return {
            name: (_read_or_make(folder / file), str(folder / file))
            for name, file in _FILES.items()
            if not found.get(name, ("",))[0]
        }
    except OSError as exc:
        raise CannotStart(f"The keys in {folder} cannot be used: {exc.strerror}.") from exc


def _read_or_make(path: Path) -> str:
    if not path.exists():
        _make(path)
    key = path.read_text(encoding="ascii").strip()
    if not key:
        raise CannotStart(f"{path} is empty. Put the key back: what it locked is lost without it.")
    return key


def _make(path: Path) -> None:
    # Two first starts may race. Each writes a file of its own and links it: the first link wins,
    # a reader never sees half a key, and the loser takes the winner's.
    own = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(own, path)
    except FileExistsError:
        return
    finally:
        own.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
