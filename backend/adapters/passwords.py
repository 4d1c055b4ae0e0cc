"""Passwords as argon2id hashes (RFC 9106). The library is loaded by the first who needs it."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argon2

#: What OWASP asks for at least: a server for a few people must not need gigabytes to let them in.
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1


class Argon2Hasher:
    """See backend.ports.accounts.PasswordHasher."""

    def hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        from argon2.exceptions import VerificationError  # noqa: PLC0415 -- see the module

        try:
            good = self._hasher.verify(password_hash or self._nobodys, password)
        except VerificationError:
            return False
        return good and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        return self._hasher.check_needs_rehash(password_hash)

    @cached_property
    def _hasher(self) -> "argon2.PasswordHasher":
        from argon2 import PasswordHasher  # noqa: PLC0415 -- see the module

        return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)

    @cached_property
    def _nobodys(self) -> str:
        """A hash to compare with where there is none: an unknown account takes as long as a known."""
        return self._hasher.hash("the password of nobody")
