"""Sealed values as Fernet tokens: AES-CBC with an HMAC over it, and inside it whose they are."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from backend.core import json
from backend.core.errors import SecretUnreadable
from backend.core.ids import UserId
from backend.core.json import JsonObject

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

_FINGERPRINT_DIGITS: Final = 12
#: Of a token: its version, in Base64, and what the shortest has that `seal` makes.
_SEALED_BEGIN: Final = "gAAAA"
_SEALED_CHARACTERS: Final = 140


def keys_in(text: str) -> list[str]:
    """Return the keys in the setting ENCRYPTION_KEY, the newest first."""
    return [key.strip() for key in text.split(",")]


def fingerprint(key: str) -> str:
    """Return what names *key* and tells nothing of it: it is random, and not to be guessed."""
    return hashlib.sha256(f"agpt vault {key}".encode()).hexdigest()[:_FINGERPRINT_DIGITS]


class FernetVault:
    """See backend.ports.vault.Vault."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Use *keys*, the newest first; they are looked at when the first is needed."""
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"FernetVault({len(self._keys)} keys)"

    @cached_property
    def _each(self) -> "list[Fernet]":
        # Loaded when the first secret is touched: most processes of a small server touch none.
        from cryptography.fernet import Fernet  # noqa: PLC0415 - see above

        return [Fernet(key) for key in self._keys]

    @cached_property
    def _all(self) -> "MultiFernet":
        from cryptography.fernet import MultiFernet  # noqa: PLC0415 - see above

        return MultiFernet(self._each)

    def seal(self, value: JsonObject, *, user_id: UserId, record_id: str) -> str:
        plain = json.dumps({"user": user_id, "record": record_id, "value": value})
        return self._each[0].encrypt(plain).decode("ascii")

    def open(self, sealed: str, *, user_id: UserId, record_id: str) -> JsonObject:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see above

        try:
            plain = json.loads(self._all.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as exc:
            raise SecretUnreadable(
                f"The secret of #{record_id} cannot be opened: none of the keys of this "
                "installation has sealed it. Put the key that did back into ENCRYPTION_KEY, behind "
                "the others. It stays as it is."
            ) from exc
        if plain["user"] != user_id or plain["record"] != record_id:
            raise SecretUnreadable(
                f"The secret of #{record_id} was sealed for another user or record: somebody has "
                "moved it in the database. It stays as it is."
            )
        value: JsonObject = plain["value"]
        return value

    def is_sealed(self, text: str) -> bool:
        return len(text) >= _SEALED_CHARACTERS and text.startswith(_SEALED_BEGIN)

    def is_newest(self, sealed: str) -> bool:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see above

        try:
            self._each[0].decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True
