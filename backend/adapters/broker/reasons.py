"""Why a broker cannot be used, in words."""

from typing import Final

import aiormq

from backend.adapters.broker.tls import trust_refusal_of

_REFUSED: Final = (aiormq.AuthenticationError, aiormq.ProbableAuthenticationError)


def refusal_of(error: BaseException) -> str:
    """Return why the broker lets us not in, which no waiting mends; empty if it is not that."""
    if isinstance(error, _REFUSED):
        return why(error)
    # The library does not read what the broker says instead of opening a virtual host.
    if isinstance(error, aiormq.InvalidFrameError) and "OpenOk" in str(error):
        return "there is no such virtual host, or the user may not use it"
    return trust_refusal_of(error)


def why(error: BaseException | None) -> str:
    """Return what is wrong, in the broker's words; those of the library hold no password."""
    if error is None:
        return "no reason given"
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return trust_refusal_of(error) or str(error) or type(error).__name__
