"""Plays the webhooks of GitHub, of a bot at Telegram, of Slant 3D and of Exa, over real HTTP."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

GITHUB_KEY: Final = "ghp_stand-in"
EXA_KEY: Final = "exa-stand-in"
SLANT3D_KEY: Final = "sl-stand-in"
BOT: Final = "12345:stand-in-token-of-a-bot"


class GithubHooks:
    """
    Keeps the webhooks of any repository but ``ann/none``.

    Attributes:
        hooks: By their ids.
        pings: Of which it was asked to try.
    """

    def __init__(self) -> None:
        self.hooks: dict[int, dict[str, Any]] = {}
        self.pings: list[int] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its REST API does."""
        if asked.headers.get("authorization") != f"Bearer {GITHUB_KEY}":
            return Reply(status=401, value={"message": "Bad credentials"})
        _, _, owner, name, _, *rest = asked.path.split("/")
        if name == "none":
            return Reply(status=404, value={"message": "Not Found"})
        if not rest:
            return self._all(asked, f"{owner}/{name}")
        number = int(rest[0])
        if number not in self.hooks:
            return Reply(status=404, value={"message": "Not Found"})
        if rest[1:] == ["pings"]:
            self.pings.append(number)
        elif asked.method == "GET":
            return Reply(value=self.hooks[number])
        elif asked.method == "DELETE":
            del self.hooks[number]
        return Reply(status=204, body=b"")

    def _all(self, asked: Asked, repository: str) -> Reply:
        mine = [hook for hook in self.hooks.values() if hook["repository"] == repository]
        if asked.method == "GET":
            return Reply(value=mine)
        wanted = asked.json()
        if any(hook["config"]["url"] == wanted["config"]["url"] for hook in mine):
            error = {"message": "Hook already exists on this repository"}
            return Reply(status=422, value={"message": "Validation Failed", "errors": [error]})
        hook = {**wanted, "id": len(self.hooks) + 101, "repository": repository}
        self.hooks[hook["id"]] = hook
        return Reply(status=201, value=hook)


class TelegramBot:
    """
    Keeps the one webhook of a bot.

    Attributes:
        hook: What it was told; empty: nothing.
    """

    def __init__(self) -> None:
        self.hook: dict[str, Any] = {}

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API for bots does."""
        _, bot, method = asked.path.split("/")
        if bot != f"bot{BOT}":
            value = {"ok": False, "error_code": 401, "description": "Unauthorized"}
            return Reply(status=401, value=value)
        if method == "getWebhookInfo":
            return Reply(value={"ok": True, "result": {"url": "", **self.hook}})
        self.hook = asked.json() if method == "setWebhook" else {}
        return Reply(value={"ok": True, "result": True})


class Slant3dHooks:
    """
    Keeps the one address of an account.

    Attributes:
        url: What it was told last; empty: nothing.
    """

    def __init__(self) -> None:
        self.url = ""

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if asked.headers.get("api-key") != SLANT3D_KEY:
            return Reply(status=401, value={"error": "Invalid API key"})
        if (asked.method, asked.path) != ("POST", "/customer/webhookSubscribe"):
            return Reply(status=404, value={"error": "Not found"})
        self.url = asked.json()["endPoint"]
        return Reply(value={"message": "Webhook subscribed"})


class ExaHooks:
    """
    Keeps the webhooks of an account.

    Attributes:
        hooks: By their ids, with the secrets that were told once.
    """

    def __init__(self) -> None:
        self.hooks: dict[str, dict[str, Any]] = {}
        self._made = 0

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API of websets does."""
        if asked.headers.get("x-api-key") != EXA_KEY:
            return Reply(status=401, value={"message": "Invalid API key"})
        number = asked.path.partition("/websets/v0/webhooks")[2].strip("/")
        if asked.method == "POST":
            self._made += 1
            made = {
                **asked.json(),
                "id": f"hook{self._made}",
                "status": "active",
                "secret": f"exa secret {self._made}",
            }
            self.hooks[made["id"]] = made
            return Reply(value=made)
        if not number:
            found = [self._shown(one) for one in self.hooks.values()]
            return Reply(value={"data": found, "hasMore": False, "nextCursor": None})
        if number not in self.hooks:
            return Reply(status=404, value={"message": "Not found"})
        one = self._shown(self.hooks[number])
        if asked.method == "DELETE":
            del self.hooks[number]
        return Reply(value=one)

    @staticmethod
    def _shown(hook: dict[str, Any]) -> dict[str, Any]:
        return {**hook, "secret": None}
