"""Plays the webhooks of a base at Airtable: it keeps what changes, for who asks for it."""

from typing import Any, Final

from backend.testing.standin.airtable import Airtable
from backend.testing.standin.messages import Asked, Reply

#: In base64, as it is told once.
MAC_KEY: Final = "c2VjcmV0IG9mIGEgd2ViaG9vaw=="
_LATER: Final = "2126-11-27T10:00:00.000Z"
_AT_ONCE: Final = 2


class AirtableHooks(Airtable):
    """
    All that `Airtable` does, and webhooks of base app1.

    Attributes:
        hooks: By their ids.
        kept: What changed, the same for all webhooks; the first has the number 1.
        refreshed: Whose time was put off.
        first: The numbers from which was asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[str, dict[str, Any]] = {}
        self.kept: list[dict[str, Any]] = []
        self.refreshed: list[str] = []
        self.first: list[int] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        before, is_hooks, rest = asked.path.partition("/webhooks")
        if not is_hooks or not asked.has_bearer:
            return super().answer(asked)
        if before != "/bases/app1":
            return Reply(status=404, value={"error": {"type": "NOT_FOUND"}})
        hook_id, _, what = rest.strip("/").partition("/")
        if not hook_id:
            return self._all(asked)
        if hook_id not in self.hooks:
            return Reply(status=404, value={"error": {"type": "NOT_FOUND"}})
        if asked.method == "DELETE":
            del self.hooks[hook_id]
            return Reply(status=204, body=b"")
        return self._one(asked, hook_id, what)

    def _all(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(value={"webhooks": list(self.hooks.values())})
        hook_id = f"ach{len(self.hooks) + 1}"
        self.hooks[hook_id] = {
            **asked.json(),
            "id": hook_id,
            "expirationTime": _LATER,
            "isHookEnabled": True,
            "areNotificationsEnabled": True,
        }
        told = {"id": hook_id, "macSecretBase64": MAC_KEY, "expirationTime": _LATER}
        return Reply(value=told)

    def _one(self, asked: Asked, hook_id: str, what: str) -> Reply:
        if what == "refresh":
            self.refreshed.append(hook_id)
            return Reply(value={"expirationTime": _LATER})
        if what == "enableNotifications":
            self.hooks[hook_id]["areNotificationsEnabled"] = asked.json()["enable"]
            return Reply(value={})
        first = int(asked.one("cursor") or 1)
        self.first.append(first)
        now = self.kept[first - 1 : first - 1 + _AT_ONCE]
        after = first + len(now)
        more = after <= len(self.kept)
        return Reply(value={"payloads": now, "cursor": after, "mightHaveMore": more})
