"""Where secrets are sealed. A sealed value belongs to one user and one record, and opens for no other."""

from typing import Protocol

from backend.core.ids import UserId
from backend.core.json import JsonObject


class Vault(Protocol):
    """Seals values with the newest key, and opens what any of the keys has sealed."""

    def seal(self, value: JsonObject, *, user_id: UserId, record_id: str) -> str:
        """Return *value* sealed for one record of one user."""

    def open(self, sealed: str, *, user_id: UserId, record_id: str) -> JsonObject:
        """
        Return what was sealed.

        Raises:
            SecretUnreadable: If no key opens it, or it was sealed for another user or record.
        """

    def is_sealed(self, text: str) -> bool:
        """Say whether *text* has the shape of something sealed, whether it opens or not."""

    def is_newest(self, sealed: str) -> bool:
        """Say whether the newest key has sealed this."""
