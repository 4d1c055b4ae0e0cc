"""How the broker is known, and we to it: certificates, and what is said when they do not fit."""

import ssl
from typing import Final

from backend.adapters.broker.address import options_of, shown
from backend.core.errors import CannotStart

#: Of OpenSSL: a certificate is for another name, or another address, than was asked for.
_OTHER_NAME: Final = (62, 64)


def context_for(url: str) -> ssl.SSLContext | None:
    """
    Return how a connection to *url* is encrypted; None: it is not.

    The broker's certificate must be signed by somebody in cafile or capath, or else by one of those
    whom this machine trusts, and for the host of *url*; no_verify_ssl=1 takes any. certfile and
    keyfile are shown to a broker that asks for them.

    Raises:
        CannotStart: If one of these files cannot be read or used; says which.
    """
    if not url.startswith("amqps:"):
        return None
    options = options_of(url)
    cafile, capath = options.get("cafile"), options.get("capath")
    certfile, keyfile = options.get("certfile"), options.get("keyfile")
    try:
        context = ssl.create_default_context(cafile=cafile, capath=capath)
    except OSError as exc:
        raise CannotStart(
            f"RABBITMQ_URL: no certificates can be read in {cafile or capath}: {_words(exc)}"
        ) from exc
    if options.get("no_verify_ssl", "0") != "0":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certfile is not None:
        try:
            # Nobody is there to be asked for the password of a key.
            context.load_cert_chain(certfile, keyfile, password="")
        except OSError as exc:
            files = certfile if keyfile is None else f"{certfile} and {keyfile}"
            raise CannotStart(
                f"RABBITMQ_URL: {files} are no certificate with its key: {_words(exc)}"
            ) from exc
    return context


def trust_refusal_of(error: BaseException) -> str:
    """Return why a connection cannot be trusted, which no waiting mends; empty if it is not that."""
    found = _tls_error(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        reason = found.verify_message.rstrip(".")
        if found.verify_code in _OTHER_NAME:
            return f"its certificate is for another host: {reason}"
        return (
            f"its certificate is not accepted: {reason}; cafile in RABBITMQ_URL is the file of who"
            " signed it"
        )
    if found is None:
        return ""
    if found.reason == "WRONG_VERSION_NUMBER":
        return "it speaks no TLS at this port, which amqps:// asks for"
    if "CERTIFICATE_REQUIRED" in (found.reason or ""):
        return "it asks for a certificate of ours: certfile and keyfile in RABBITMQ_URL"
    if "ALERT" in (found.reason or ""):
        return f"it ends the handshake of TLS: {_words(found)}"
    return ""


def hint_of(url: str, error: BaseException) -> str:
    """Return what may be the reason why a broker hangs up at once, in brackets; mostly nothing."""
    if url.startswith("amqp:") and isinstance(error.__cause__, ConnectionResetError):
        return f" (does {shown(url)} speak TLS? Then it is amqps://)"
    return ""


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return error.strerror or str(error)
