"""How senders sign what they send: ways as data, and the one check that all of them pass."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from backend.core.errors import BadRequest, NotAllowed

#: Values by header, in lower case; more than one where a header was sent more than once.
Headers = Mapping[str, Sequence[str]]

MAX_HEADER: Final = 1_024
#: While a secret is changed, senders sign with both.
MAX_SIGNATURES: Final = 10
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_STANDARD: Final = "whsec_"  #: what the secrets of that standard begin with


class Encoding(StrEnum):
    """How the bytes of a signature are written."""

    HEX = "hex"
    BASE64 = "base64"


class Signed(StrEnum):
    """What is signed: the body, or something before it too."""

    BODY = "body"
    DOTTED = "timestamp.body"
    SLACK = "v0:timestamp:body"
    STANDARD = "id.timestamp.body"
    NOTHING = "nothing"  #: the secret itself is sent, as a token


class Layout(StrEnum):
    """How signatures stand in their header."""

    ONE = "one"  #: prefix and signature
    PAIRS = "pairs"  #: t=…,v1=…,v1=…
    LIST = "list"  #: v1,… v1,…


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """
    A way to sign.

    Attributes:
        header: Where the signature is, in lower case; *timestamp_header* and *id_header* likewise.
        prefix: What stands before each signature.
        tolerance_s: A timestamp may be so many seconds from now, on either side.
        is_key_base64: The secret stands for bytes, in base64.
    """

    header: str
    prefix: str = ""
    encoding: Encoding = Encoding.HEX
    algorithm: str = "sha256"
    signed: Signed = Signed.BODY
    layout: Layout = Layout.ONE
    timestamp_header: str = ""
    id_header: str = ""
    tolerance_s: int = 300
    is_key_base64: bool = False

    @property
    def is_timed(self) -> bool:
        """Whether the time is signed."""
        return self.signed not in (Signed.BODY, Signed.NOTHING)


#: By the names by which owners choose them.
SCHEMES: Final[Mapping[str, Scheme]] = {
    "github": Scheme(header="x-hub-signature-256", prefix="sha256="),
    "slack": Scheme(
        header="x-slack-signature",
        prefix="v0=",
        signed=Signed.SLACK,
        timestamp_header="x-slack-request-timestamp",
    ),
    "stripe": Scheme(
        header="stripe-signature", prefix="v1=", signed=Signed.DOTTED, layout=Layout.PAIRS
    ),
    "shopify": Scheme(header="x-shopify-hmac-sha256", encoding=Encoding.BASE64),
    "standard": Scheme(
        header="webhook-signature",
        prefix="v1,",
        encoding=Encoding.BASE64,
        signed=Signed.STANDARD,
        layout=Layout.LIST,
        timestamp_header="webhook-timestamp",
        id_header="webhook-id",
    ),
}
#: Who has the secret sends it, over a connection that nobody else reads.
TELEGRAM: Final = Scheme(header="x-telegram-bot-api-secret-token", signed=Signed.NOTHING)
ALGORITHMS: Final = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A delivery whose signature is right. *digest* is the same only for the same signed text."""

    digest: str
    signed_id: str = ""


def one(headers: Headers, name: str) -> str | None:
    """
    Return the value of a header; None if it was not sent.

    Raises:
        BadRequest: If it was sent twice: two readers would take one each.
    """
    values = headers.get(name, ())
    if len(values) > 1:
        raise BadRequest(f"The header {name} was sent more than once.")
    return values[0] if values else None


def check(scheme: Scheme, secret: str, headers: Headers, body: bytes, *, now_s: float) -> Checked:
    """
    Check that *body*, as it came, was signed with *secret*, and lately where that can be known.

    Raises:
        NotAllowed: If there is no signature, or none that is right.
        BadRequest: If a header of it was sent twice.
    """
    given = one(headers, scheme.header)
    if given is None:
        raise NotAllowed(f"This webhook takes signed deliveries only: send {scheme.header}.")
    if not secret:
        raise NotAllowed("This webhook has no secret: nothing that is sent to it can be checked.")
    found, timestamp = _parse(scheme, given)
    if scheme.timestamp_header:
        timestamp = one(headers, scheme.timestamp_header) or ""
    signed_id = (one(headers, scheme.id_header) or "") if scheme.id_header else ""
    text = _signed_text(scheme, timestamp, signed_id, body)
    wanted = signature(scheme, secret, text)
    # All are compared, each in constant time: how long it takes tells nothing.
    matches = [hmac.compare_digest(wanted.encode(), candidate.encode()) for candidate in found]
    if not any(matches):
        raise NotAllowed(f"{scheme.header} is not the signature of this body by this webhook.")
    if scheme.is_timed and abs(now_s - int(timestamp)) > scheme.tolerance_s:
        raise NotAllowed(
            f"It was signed more than {scheme.tolerance_s} seconds from now: too late, or by a "
            "clock that goes wrong."
        )
    return Checked(digest=hashlib.sha256(text).hexdigest(), signed_id=signed_id)


def signature(scheme: Scheme, secret: str, text: bytes) -> str:
    """Return the signature of *text*, without a prefix."""
    if scheme.signed is Signed.NOTHING:
        return secret
    made = hmac.new(_key(scheme, secret), text, scheme.algorithm).digest()
    return made.hex() if scheme.encoding is Encoding.HEX else base64.b64encode(made).decode()


def sign(
    scheme: Scheme, secret: str, body: bytes, *, timestamp: int = 0, id_: str = ""
) -> dict[str, str]:
    """Return the headers with which a sender signs *body*."""
    time = str(timestamp)
    made = scheme.prefix + signature(scheme, secret, _signed_text(scheme, time, id_, body))
    headers = {scheme.header: f"t={time},{made}" if scheme.layout is Layout.PAIRS else made}
    if scheme.timestamp_header:
        headers[scheme.timestamp_header] = time
    if scheme.id_header:
        headers[scheme.id_header] = id_
    return headers


def _key(scheme: Scheme, secret: str) -> bytes:
    is_standard = scheme.signed is Signed.STANDARD and secret.startswith(_STANDARD)
    if not is_standard and not scheme.is_key_base64:
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _parse(scheme: Scheme, given: str) -> tuple[list[str], str]:
    """Return the signatures in a header, and the timestamp if that stands there too."""
    if len(given) > MAX_HEADER or not given.isascii():
        return [], ""
    if scheme.layout is Layout.ONE:
        return _stripped([given], scheme.prefix), ""
    if scheme.layout is Layout.LIST:
        return _stripped(given.split(" "), scheme.prefix), ""
    parts = [part.strip() for part in given.split(",")]
    times = [part.removeprefix("t=") for part in parts if part.startswith("t=")]
    # Of two times, one would be checked and the other one signed.
    return _stripped(parts, scheme.prefix), times[0] if len(times) == 1 else ""


def _stripped(parts: Sequence[str], prefix: str) -> list[str]:
    found = [part.removeprefix(prefix) for part in parts if part.startswith(prefix)]
    return found if len(found) <= MAX_SIGNATURES else []


def _signed_text(scheme: Scheme, timestamp: str, id_: str, body: bytes) -> bytes:
    if not scheme.is_timed:
        return body
    if not _TIMESTAMP.fullmatch(timestamp):
        raise NotAllowed("The time at which it was signed is missing, or no number of seconds.")
    match scheme.signed:
        case Signed.SLACK:
            before = f"v0:{timestamp}:"
        case Signed.STANDARD:
            # A point in the id would make one text of two readings.
            if not id_ or "." in id_ or len(id_) > MAX_HEADER or not id_.isascii():
                raise NotAllowed(f"{scheme.id_header} is missing, or no id.")
            before = f"{id_}.{timestamp}."
        case _:
            before = f"{timestamp}."
    return before.encode() + body
