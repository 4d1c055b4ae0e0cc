"""What goes wrong at a provider, in our errors, with the provider's words but without secrets."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from backend.adapters.models.targets import Target
from backend.core.errors import (
    AgentServerError,
    ModelLimited,
    WebClientError,
    WebFailed,
    WebServerError,
    WebTimedOut,
)
from backend.core.redaction import Redactor

#: Of what a provider says, so many characters are passed on.
_MAX_WORDS: Final = 500
#: Statuses by which a provider asks to wait.
_WAITING: Final = frozenset({429, 503, 529})
#: A 429 that no waiting helps against: the account is empty.
_EMPTY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_FAILED: Final = 500
_REFUSED: Final = 400


@contextmanager
def told_as_ours(target: Target) -> Iterator[None]:
    """Turn what the libraries raise into the errors of the port."""
    from pydantic_ai import exceptions  # noqa: PLC0415 -- heavy

    try:
        yield
    except exceptions.ModelHTTPError as exc:
        raise _of_status(exc, target) from exc
    except exceptions.ModelAPIError as exc:
        raise _without_status(exc, target) from exc
    except (exceptions.AgentRunError, exceptions.UserError) as exc:
        raise WebFailed(f"the answer of {target} cannot be used: {_words(exc, target)}") from exc
    # The SDKs build their answers unchecked: nonsense shows as any of these, far from its cause.
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as exc:
        raise WebFailed(f"the answer of {target} is not one of a model") from exc


def _of_status(error: Any, target: Target) -> AgentServerError:
    status = error.status_code
    text = f"{target} answered {status}: {_words(_message_in(error.body) or error, target)}"
    kinds = {error.provider_error_code, error.provider_error_type}
    if status in _WAITING and not kinds & _EMPTY:
        return ModelLimited(text, retry_after_s=_wait_in(error))
    if status >= _FAILED:
        return WebServerError(text, status=status)
    if status >= _REFUSED:
        return WebClientError(text, status=status)
    return WebFailed(text)


def _without_status(error: Any, target: Target) -> AgentServerError:
    """Return ours that stopped it below the libraries, if one did; else what a broken line is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AgentServerError):
            return cause
        cause = cause.__cause__
    from pydantic_ai import exceptions  # noqa: PLC0415 -- heavy

    if isinstance(error, exceptions.ModelTimeoutError):
        return WebTimedOut(f"{target} did not answer in time")
    return WebFailed(f"{target} could not be reached, or broke off: {_words(error, target)}")


def _message_in(body: Any) -> str:
    """Return what a provider says in the body of a refusal; empty if it is nothing we know."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        return message if isinstance(message, str) else ""
    return body if isinstance(body, str) else ""


def _words(said: object, target: Target) -> str:
    text = Redactor([target.key] if target.key else []).text(str(said))
    text = " ".join(text.split())
    return text if len(text) <= _MAX_WORDS else text[: _MAX_WORDS - 1] + "…"


def _wait_in(error: Any) -> float | None:
    """Return the seconds that the provider asks for. The library reads whole ones and dates only."""
    wait = error.retry_after
    if wait is None:
        try:
            wait = float((error.headers or {}).get("retry-after", ""))
        except ValueError:
            return None
    return max(0.0, wait) if math.isfinite(wait) else None
