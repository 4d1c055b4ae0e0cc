"""Where a broker is. Imports nothing of AMQP: settings are checked where no broker is used."""

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from backend.core.errors import BadRequest

_SCHEMES: Final = ("amqp", "amqps")
_PORTS: Final = {"amqp": 5672, "amqps": 5671}
ALLOWED: Final = "an address of RabbitMQ: amqp://user:password@host:port/vhost, or amqps://"
#: What an address may say after a question mark of how the other side is known, and we are.
TLS_OPTIONS: Final = frozenset({"cafile", "capath", "keyfile", "certfile", "no_verify_ssl"})
#: The rest is ours to say.
_OPTIONS: Final = TLS_OPTIONS | {"auth"}
_CHOICES: Final = {"auth": ("plain", "external"), "no_verify_ssl": ("0", "1")}


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
    if problem := _problem_of(options_of(url), parts.scheme):
        raise BadRequest(f"{ALLOWED}; {problem}")


def options_of(url: str) -> dict[str, str]:
    """Return what *url* says after its question mark."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _problem_of(options: dict[str, str], scheme: str) -> str:
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        return f"it may say {', '.join(sorted(_OPTIONS))}, not {', '.join(unknown)}"
    for name, choices in _CHOICES.items():
        # Of a value that it does not know the library makes what it likes: no verification.
        if options.get(name, choices[0]) not in choices:
            return f"{name} is {' or '.join(choices)}"
    if scheme == "amqp" and (found := sorted(options.keys() & TLS_OPTIONS)):
        return f"{', '.join(found)} needs amqps://: nothing is encrypted without it"
    if "keyfile" in options and "certfile" not in options:
        return "keyfile needs certfile"
    return ""


def shown(url: str) -> str:
    """Return *url* without what nobody else should read."""
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    vhost = unquote(parts.path.removeprefix("/")) or "/"
    where = f"{parts.scheme}://{parts.hostname}:{port}"
    return where if vhost == "/" else f"{where}/{vhost}"


def for_library(url: str, **options: str | int) -> str:
    """Return *url* with *options*, and without what `tls.context_for` reads in it."""
    parts = urlsplit(url)
    kept = {name: value for name, value in options_of(url).items() if name not in TLS_OPTIONS}
    query = kept | {name: str(value) for name, value in options.items()}
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
