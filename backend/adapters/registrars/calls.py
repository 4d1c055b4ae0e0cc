"""What all registrars share: a call to a provider, and what its answer means."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from backend.core.errors import BadRequest, Unavailable
from backend.ports.registrars import REGISTER_S, RegistrationRefused
from backend.ports.web import JsonBody, WebClient, WebLimits, WebResponse

_LIMITS: Final = WebLimits(timeout_s=REGISTER_S / 3, max_bytes=4 * 1024 * 1024, max_redirects=0)
_MOST_SAID: Final = 300
_SUCCESS: Final = range(200, 300)
_LATER: Final = frozenset({408, 425, 429})


class ProviderCalls:
    """Calls one provider, at its own address or where the operator has put it."""

    def __init__(self, name: str, web: WebClient, base_url: str, *, moved: str) -> None:
        """Take *base_url*, the provider's own, and *moved*, the operator's; empty: it is not."""
        self.name = name
        self._web = web
        self._base = (moved or base_url).rstrip("/")
        parts = urlsplit(self._base)
        self._trusted = (f"{parts.scheme}://{parts.netloc}",) if moved else ()

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        fine: tuple[int, ...] = (),
    ) -> WebResponse:
        """
        Send a request and return the answer, if it is a success or its status is in *fine*.

        Raises:
            RegistrationRefused: If the provider says no, with its words.
            Unavailable: If it does not answer, or says that it may do so later.
        """
        try:
            answer = await self._web.send(
                method,
                f"{self._base}{path}",
                headers=headers,
                body=None if body is None else JsonBody(value=body),
                limits=_LIMITS,
                trusted_origins=self._trusted,
            )
        except BadRequest as exc:
            raise RegistrationRefused(f"{self.name} cannot be asked: {exc}") from exc
        if answer.status in _SUCCESS or answer.status in fine:
            return answer
        said = f"{self.name} answered {answer.status}: {self.said(answer)}"
        is_limit = answer.status == 403 and "rate limit" in said.lower()  # noqa: PLR2004 - see GitHub
        if answer.status in _LATER or answer.status >= 500 or is_limit:  # noqa: PLR2004 - HTTP's
            raise Unavailable(f"{said} Try again later.")
        raise RegistrationRefused(said)

    def said(self, answer: WebResponse) -> str:
        """Return what an answer says, on one line."""
        try:
            found = answer.json()
        except Unavailable:
            return "it says not why."
        if not isinstance(found, dict):
            return "it says not why."
        texts = [found.get("message"), found.get("description")]
        error = found.get("error")
        if isinstance(error, dict):
            texts += [error.get("message") or error.get("type")]
        errors = found.get("errors")
        texts += [
            error.get("message") if isinstance(error, dict) else error
            for error in (errors if isinstance(errors, list) else ())
        ]
        text = ". ".join(one.strip(". ") for one in texts if isinstance(one, str) and one)
        return f"{' '.join(text.split())[:_MOST_SAID] or 'it says not why'}."

    def value(self, answer: WebResponse) -> Any:
        """Return an answer's JSON. Raises Unavailable if it is none: nobody knows what was done."""
        return answer.json()
