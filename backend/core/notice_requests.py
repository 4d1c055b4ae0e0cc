"""How each kind of channel is asked to tell something: what leads there, and the request (pure)."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from backend.core import json
from backend.core.errors import BadRequest
from backend.core.ids import ChannelId, derived_id
from backend.core.notice_channels import ChannelKind
from backend.core.notice_words import Words, words
from backend.core.records import NoticeRecord
from backend.core.signatures import SCHEMES, sign

#: Where providers are, unless PROVIDER_BASE_URLS says otherwise.
BASE_URLS: Final[Mapping[ChannelKind, str]] = {
    ChannelKind.SLACK: "https://hooks.slack.com",
    ChannelKind.DISCORD: "https://discord.com/api/v10",
    ChannelKind.TELEGRAM: "https://api.telegram.org",
    ChannelKind.NTFY: "https://ntfy.sh",
}
_STANDARD: Final = SCHEMES["standard"]
_STANDARD_BEGIN: Final = "whsec_"  #: of the secrets of that standard
_MOST_URL: Final = 2_000
#: A webhook gets the notice whole, unless its outputs make it larger than this.
_MOST_BODY: Final = 64 * 1024
_DISCORD_HOSTS: Final = ("discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com")
_DISCORD_PATH: Final = re.compile(r"/api(?:/v[0-9]{1,2})?/webhooks/([0-9]{1,30})/([\w-]{1,200})/?")
_BOT: Final = re.compile(r"([0-9]{1,20}):[\w-]{10,200}", re.ASCII)
_CHAT: Final = re.compile(r"-?[0-9]{1,20}|@\w{1,64}", re.ASCII)
_TOPIC: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
_VISIBLE: Final = re.compile(r"[!-~]{1,300}")
_KEY: Final = re.compile(r"[\w:.-]{1,300}", re.ASCII)
_DISCORD_MARKS: Final = re.compile(r"([\\*_~`|>\[\]()#@<])")
_DISCORD_CHARS: Final = 2_000
_NTFY_URGENT: Final = 4
_SUPPRESS_EMBEDS: Final = 4

Config = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelRequest:
    """One POST. *trusted* are origins of the operator's, which may be private."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A config that was looked at. *made_secret*: what deliveries are signed with, if it is new."""

    config: dict[str, str] = field(repr=False)
    hint: str
    made_secret: str | None = field(default=None, repr=False)


def read_target(kind: ChannelKind, values: Config, *, new_secret: bytes) -> Target:
    """
    Return where a channel leads, from what its owner says.

    Args:
        new_secret: 32 random bytes, for a webhook whose owner names no secret.

    Raises:
        BadRequest: If something is missing, unknown, or cannot be; says what.
    """
    required, optional = _FIELDS[kind]
    unknown = sorted(values.keys() - {*required, *optional})
    if unknown:
        raise BadRequest(f"A channel of kind {kind.value} has no {', '.join(unknown)}.")
    missing = [name for name in required if not values.get(name)]
    if missing:
        raise BadRequest(f"A channel of kind {kind.value} needs {', '.join(missing)}.")
    given = {name: value for name, value in values.items() if value}
    return _READERS[kind](given, new_secret)


def secrets_in(config: Config) -> tuple[str, ...]:
    """Return what of *config* nobody may see, in what a service answers either."""
    return (*config.values(), *(urlsplit(config[name]).path for name in ("url",) if name in config))


def request_of(
    kind: ChannelKind,
    config: Config,
    notice: NoticeRecord,
    channel_id: ChannelId,
    *,
    now_s: int,
    base_urls: Mapping[str, str],
    told: int = 1,
) -> ChannelRequest:
    """
    Return what tells *notice*. The same again for one that is sent again, but for its time.

    Args:
        now_s: Signed into webhooks, in seconds since the epoch.
        base_urls: The operator's addresses of providers, by name.
        told: For how many of its cause the notice stands.
    """
    said = words(notice.type, notice.data, told=told)
    if kind is ChannelKind.WEBHOOK:
        return _webhook(config, notice, said, channel_id, now_s)
    moved = base_urls.get(kind.value, "").rstrip("/")
    base = moved or BASE_URLS[kind]
    path, body, headers = _CHATS[kind](config, said)
    if kind in (ChannelKind.SLACK, ChannelKind.NTFY) and (own := config.get("server")):
        base, moved = own, ""
    return ChannelRequest(
        url=base + path,
        body=json.dumps(body),
        headers={"content-type": "application/json", **headers},
        trusted=(_origin(moved),) if moved else (),
    )


def _webhook(
    config: Config, notice: NoticeRecord, said: Words, channel_id: ChannelId, now_s: int
) -> ChannelRequest:
    made = datetime.fromtimestamp(notice.created_us / 1e6, UTC)
    value: dict[str, Any] = {
        "type": notice.type,
        "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": notice.id,
        "title": said.title,
        "text": said.text,
        "data": notice.data,
    }
    body = json.dumps(value)
    if len(body) > _MOST_BODY:
        facts = {n: v for n, v in notice.data.items() if not isinstance(v, list | dict)}
        body = json.dumps({**value, "data": {**facts, "error": said.text}, "shortened": True})
    key = f"{notice.id}:{channel_id}"
    if not _KEY.fullmatch(key):
        key = derived_id(notice.id, channel_id)
    # A point in the id would end it for who checks the signature.
    message = f"msg_{derived_id(notice.id, channel_id)}"
    signed = sign(_STANDARD, config["secret"], body, timestamp=now_s, id_=message)
    headers = {"content-type": "application/json", "idempotency-key": key, **signed}
    return ChannelRequest(url=config["url"], body=body, headers=headers)


def _slack(config: Config, said: Words) -> tuple[str, Any, dict[str, str]]:
    text = f"{said.title}\n{said.text}".strip()
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, entity)
    # Only <…> mentions anybody, and *…* is no more than stars.
    return (
        config["path"],
        {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False},
        {},
    )


def _discord(config: Config, said: Words) -> tuple[str, Any, dict[str, str]]:
    text = _DISCORD_MARKS.sub(r"\\\1", f"{said.title}\n{said.text}".strip())
    body = {
        "content": text[:_DISCORD_CHARS],
        "allowed_mentions": {"parse": []},
        "flags": _SUPPRESS_EMBEDS,
    }
    # Discord refuses clients that do not say who they are in this way.
    agent = {"user-agent": "DiscordBot (https://example.com, 1)"}
    return f"/webhooks/{config['id']}/{config['token']}?wait=true", body, agent


def _telegram(config: Config, said: Words) -> tuple[str, Any, dict[str, str]]:
    body = {
        "chat_id": config["chat_id"],
        "text": f"{said.title}\n{said.text}".strip(),
        "link_preview_options": {"is_disabled": True},
    }
    return f"/bot{quote(config['token'], safe=':')}/sendMessage", body, {}


def _ntfy(config: Config, said: Words) -> tuple[str, Any, dict[str, str]]:
    body: dict[str, Any] = {
        "topic": config["topic"],
        "title": said.title,
        "message": said.text or said.title,
    }
    if said.is_urgent:
        body["priority"] = _NTFY_URGENT
    token = config.get("token")
    return "/", body, {"authorization": f"Bearer {token}"} if token else {}


_CHATS: Final[Mapping[ChannelKind, Callable[[Config, Words], tuple[str, Any, dict[str, str]]]]] = {
    ChannelKind.SLACK: _slack,
    ChannelKind.DISCORD: _discord,
    ChannelKind.TELEGRAM: _telegram,
    ChannelKind.NTFY: _ntfy,
}

#: What each kind needs, and what it may have.
_FIELDS: Final[Mapping[ChannelKind, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    ChannelKind.WEBHOOK: (("url",), ("secret",)),
    ChannelKind.SLACK: (("url",), ()),
    ChannelKind.DISCORD: (("url",), ()),
    ChannelKind.TELEGRAM: (("token", "chat_id"), ()),
    ChannelKind.NTFY: (("topic",), ("server", "token")),
}


def _read_webhook(values: Config, new_secret: bytes) -> Target:
    url = _address(values["url"])
    made = None if "secret" in values else _STANDARD_BEGIN + base64.b64encode(new_secret).decode()
    secret = made or values.get("secret", "")
    _check_secret(secret)
    return Target(config={"url": url, "secret": secret}, hint=f"{_origin(url)}/…", made_secret=made)


def _check_secret(secret: str) -> None:
    try:
        key = base64.b64decode(secret.removeprefix(_STANDARD_BEGIN), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_STANDARD_BEGIN) or not 24 <= len(key) <= 64:  # noqa: PLR2004 -- the standard's
        raise BadRequest(
            "The secret must be whsec_ and 24 to 64 random bytes in base64; name none, and one is made."
        )


def _read_slack(values: Config, _: bytes) -> Target:
    url = _address(values["url"])
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if len(parts.path.strip("/")) < 8:  # noqa: PLR2004 -- an address without its secret part
        raise BadRequest(
            "This is no incoming webhook of Slack; it looks like https://hooks.slack.com/services/T…/B…/…"
        )
    config, origin = {"path": path}, _origin(url)
    # Others speak Slack's language too: Mattermost, Rocket.Chat.
    if origin != BASE_URLS[ChannelKind.SLACK]:
        config["server"] = origin
    return Target(config=config, hint=f"{origin}/…")


def _read_discord(values: Config, _: bytes) -> Target:
    parts = urlsplit(_address(values["url"]))
    found = _DISCORD_PATH.fullmatch(parts.path)
    if parts.scheme != "https" or parts.netloc.lower() not in _DISCORD_HOSTS or found is None:
        raise BadRequest(
            "This is no webhook of Discord; it looks like https://discord.com/api/webhooks/<id>/<token>"
        )
    return Target(config={"id": found[1], "token": found[2]}, hint=f"webhook {found[1]}")


def _read_telegram(values: Config, _: bytes) -> Target:
    found = _BOT.fullmatch(values["token"])
    if found is None:
        raise BadRequest("This is no token of a Telegram bot; it looks like 123456:ABC-DEF…")
    if not _CHAT.fullmatch(values["chat_id"]):
        raise BadRequest("The chat_id is a number, or the @name of a public channel.")
    return Target(config=dict(values), hint=f"bot {found[1]}, chat {values['chat_id']}")


def _read_ntfy(values: Config, _: bytes) -> Target:
    if not _TOPIC.fullmatch(values["topic"]):
        raise BadRequest("A topic has 1 to 64 letters, digits, _ and -.")
    if "token" in values and not _VISIBLE.fullmatch(values["token"]):
        raise BadRequest("This is no access token of ntfy.")
    config, where = dict(values), BASE_URLS[ChannelKind.NTFY]
    if "server" in values:
        where = _address(values["server"]).rstrip("/")
        if urlsplit(where).query:
            raise BadRequest("The address of an ntfy server has no ? in it.")
        config["server"] = where
        if where == BASE_URLS[ChannelKind.NTFY]:
            del config["server"]
    # Whoever knows a topic can read it.
    return Target(config=config, hint=f"{_origin(where)}/{values['topic'][:2]}…")


_READERS: Final[Mapping[ChannelKind, Callable[[Config, bytes], Target]]] = {
    ChannelKind.WEBHOOK: _read_webhook,
    ChannelKind.SLACK: _read_slack,
    ChannelKind.DISCORD: _read_discord,
    ChannelKind.TELEGRAM: _read_telegram,
    ChannelKind.NTFY: _read_ntfy,
}


def _address(url: str) -> str:
    """Return *url* if it can be one; whether it may be called is the way out's to say."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or len(url) > _MOST_URL or not url.isprintable() or " " in url:
        raise BadRequest("This is no address; write it like https://example.com/path.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadRequest("Write the address without a name, a password and a #.")
    return url


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
