"""What an owner says of the deliveries to a webhook: the words of its configuration, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.errors import BadRequest
from backend.core.records import WebhookRecord
from backend.core.signatures import ALGORITHMS, SCHEMES, Encoding, Scheme, Signed
from backend.core.webhook_providers import PROVIDERS, Provider

#: Deliveries without a signature are refused.
REQUIRE_SIGNATURE: Final = "require_signature"
#: How the sender signs: the name of a scheme, or an object that describes one.
SIGNATURE: Final = "signature"
WORDS: Final = (REQUIRE_SIGNATURE, SIGNATURE)

_SCHEME: Final = "scheme"
_THEIRS: Final = "secret"
_MIN_SECRET: Final = 8
_MAX_TEXT: Final = 200
_MAX_TOLERANCE_S: Final = 3_600
_TEXTS: Final = ("header", "prefix", "timestamp_header")
_CUSTOM: Final = (*_TEXTS, "encoding", "algorithm", "signed", "tolerance_s")


@dataclass(frozen=True, kw_only=True)
class DeliveryConfig:
    """
    What is to be kept with a webhook.

    Attributes:
        secret: The sender's own, where the owner has one of theirs; None: as it is.
    """

    values: Mapping[str, Any]
    secret: str | None = field(default=None, repr=False)


def split_config(inputs: Mapping[str, Any]) -> tuple[Mapping[str, Any], DeliveryConfig | None]:
    """
    Part what is about deliveries from what is about runs; None if nothing is said of them.

    Raises:
        BadRequest: If it says something that cannot be.
    """
    if not any(word in inputs for word in WORDS):
        return inputs, None
    kept = {name: value for name, value in inputs.items() if name not in WORDS}
    values: dict[str, Any] = {}
    if REQUIRE_SIGNATURE in inputs:
        if not isinstance(inputs[REQUIRE_SIGNATURE], bool):
            raise BadRequest(f"{REQUIRE_SIGNATURE} is true or false")
        values[REQUIRE_SIGNATURE] = inputs[REQUIRE_SIGNATURE]
    secret = None
    if SIGNATURE in inputs:
        values[SIGNATURE], secret = _signature(inputs[SIGNATURE])
    if values.get(SIGNATURE) and values.get(REQUIRE_SIGNATURE) is False:
        raise BadRequest(f"{REQUIRE_SIGNATURE} is false, but {SIGNATURE} says how they are signed")
    return kept, DeliveryConfig(values=values, secret=secret)


def provider_with(webhook: WebhookRecord) -> Provider | None:
    """Return how deliveries to *webhook* are read and checked; None if that is not known here."""
    known = PROVIDERS.get(webhook.provider)
    chosen = webhook.config.get(SIGNATURE)
    if known is None or not known.is_open or not chosen:
        return known
    name = chosen.get(_SCHEME)
    # Who signs as Stripe does is Stripe: its events and their ids are known as well.
    base = PROVIDERS.get(name) or replace(known, is_open=False)
    return replace(base, scheme=_scheme(chosen))


def _scheme(chosen: Mapping[str, Any]) -> Scheme:
    changes = {name: chosen[name] for name in _CUSTOM if name in chosen}
    if "encoding" in changes:
        changes["encoding"] = Encoding(changes["encoding"])
    if "signed" in changes:
        changes["signed"] = Signed(changes["signed"])
    base = SCHEMES.get(chosen.get(_SCHEME, ""))
    return Scheme(**changes) if base is None else replace(base, **changes)


def _signature(given: Any) -> tuple[Mapping[str, Any] | None, str | None]:
    if given is None:
        return None, None
    said = {_SCHEME: given} if isinstance(given, str) else given
    if not isinstance(said, dict):
        raise BadRequest(f"{SIGNATURE} is the name of a scheme, or an object")
    _check_words(said)
    _check_custom(said)
    kept = {name: value for name, value in said.items() if name != _THEIRS}
    for name in ("header", "timestamp_header"):
        if name in kept:
            kept[name] = kept[name].lower()
    return kept, _secret(said)


def _check_words(said: Mapping[str, Any]) -> None:
    unknown = sorted(said.keys() - {_SCHEME, _THEIRS, *_CUSTOM})
    if unknown:
        raise BadRequest(f"{SIGNATURE} knows no {unknown[0][:100]!r}")
    if _SCHEME in said:
        _require_one_of(_SCHEME, said[_SCHEME], tuple(SCHEMES))
        if said.keys() & {*_CUSTOM} - {"tolerance_s"}:
            raise BadRequest(f"{SIGNATURE} names a scheme: leave out what describes another")
    elif not said.get("header"):
        raise BadRequest(f"{SIGNATURE} needs a scheme ({', '.join(SCHEMES)}) or a header")


def _check_custom(said: Mapping[str, Any]) -> None:
    for name in _TEXTS:
        value = said.get(name, "")
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            raise BadRequest(f"{SIGNATURE}.{name} is a text of ASCII characters")
        if len(value) > _MAX_TEXT:
            raise BadRequest(f"{SIGNATURE}.{name} has at most {_MAX_TEXT} characters")
    for name, allowed in (
        ("encoding", tuple(Encoding)),
        ("algorithm", ALGORITHMS),
        ("signed", (Signed.BODY, Signed.DOTTED, Signed.SLACK)),
    ):
        if name in said:
            _require_one_of(name, said[name], allowed)
    tolerance_s = said.get("tolerance_s", 1)
    if type(tolerance_s) is not int or not 1 <= tolerance_s <= _MAX_TOLERANCE_S:
        raise BadRequest(f"{SIGNATURE}.tolerance_s is a number from 1 to {_MAX_TOLERANCE_S}")
    is_timed = said.get("signed", Signed.BODY) != Signed.BODY
    if is_timed != bool(said.get("timestamp_header")):
        raise BadRequest(f"{SIGNATURE}.timestamp_header belongs to a signed timestamp")


def _require_one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise BadRequest(f"{SIGNATURE}.{name} is one of {', '.join(allowed)}")


def _secret(said: Mapping[str, Any]) -> str | None:
    if _THEIRS not in said:
        return None
    secret = said[_THEIRS]
    if not isinstance(secret, str) or not secret.isprintable():
        raise BadRequest(f"{SIGNATURE}.{_THEIRS} is a text")
    if not _MIN_SECRET <= len(secret) <= _MAX_TEXT:
        raise BadRequest(f"{SIGNATURE}.{_THEIRS} has {_MIN_SECRET} to {_MAX_TEXT} characters")
    return secret
