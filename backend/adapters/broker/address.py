"""Where a broker is. Imports nothing of AMQP: settings are checked where no broker is used."""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from backend.core.errors import BadRequest

_SCHEMES: Final = ("amqp", "amqps")
_PORTS: Final = {"amqp": 5672, "amqps": 5671}
ALLOWED: Final = "an address of RabbitMQ: amqp://user:password@host:port/vhost, or amqps://"
#: What an address may say after a question mark: where certificates are. The rest is ours to say.
_OPTIONS: Final = frozenset(
    {"auth", "cacert", "cafile", "capath", "cadata", "keyfile", "certfile", "no_verify_ssl"}
)


def check_address(url: str) -> None:
    """
    Refuse what is no address of a broker.

    Raises:
        BadRequest: Says what is allowed, and nothing of *url*, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise BadRequest(ALLOWED)
    unknown = sorted({name for name, _ in parse_qsl(parts.query)} - _OPTIONS)
    if unknown:
        raise BadRequest(
            f"{ALLOWED}; it may say {', '.join(sorted(_OPTIONS))}, not {', '.join(unknown)}"
        )


def shown(url: str) -> str:
    """Return *url* without what nobody else should read."""
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    vhost = unquote(parts.path.removeprefix("/")) or "/"
    where = f"{parts.scheme}://{parts.hostname}:{port}"
    return where if vhost == "/" else f"{where}/{vhost}"


def with_options(url: str, **options: str | int) -> str:
    """Return *url* with *options* in place of those of the same names."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | {name: str(value) for name, value in options.items()}
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
