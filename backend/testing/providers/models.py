"""A stand-in for the providers of language models, over the APIs of OpenAI and Anthropic."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Self

from backend.testing.providers.anthropic_wire import (
    answer_anthropic,
    read_anthropic,
    refuse_anthropic,
    stream_anthropic,
)
from backend.testing.providers.openai_wire import (
    answer_openai,
    read_openai,
    refuse_openai,
    stream_openai,
)
from backend.testing.providers.responses_wire import (
    answer_responses,
    read_responses,
    stream_responses,
)
from backend.testing.providers.scripts import (
    Answer,
    AnswerFunction,
    Asked,
    BrokenAnswer,
    Invalid,
    Reader,
    Refusal,
    Scripted,
    Silence,
)
from backend.testing.providers.sensible import sensible_answer
from backend.testing.providers.server import Reply, Request, StandIn

#: What a piece of text is called in a stream of each API.
_TEXT_PIECES: Final = (
    b'"delta": {"content"',
    b'"type": "text_delta"',
    b'"type": "response.output_text.delta"',
)


class ModelProvider:
    """
    Real HTTP on loopback: ``<origin>/<provider>/v1/chat/completions``, ``/responses``, ``/messages``.

    A request is answered by the next of the script; else by the function; else sensibly. Requests
    that the real APIs refuse (a tool's answer without a call, Anthropic's without max_tokens) are
    refused with 400. Safe for many threads; ends with `close`, or as a context.

    Args:
        answer: Instead of the sensible answer, unless it returns None. Called in the connection's
            thread, several at once.
        keys: API keys that are let in; None: whoever comes.

    Attributes:
        origin: ``http://127.0.0.1:<port>``: put it among the trusted origins.
        asked: All requests that could be read, in order.
    """

    def __init__(
        self, answer: AnswerFunction | None = None, *, keys: Collection[str] | None = None
    ) -> None:
        self.asked: list[Asked] = []
        self.keys = keys
        self._answer = answer
        self._script: deque[Scripted] = deque()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._server = StandIn(self._handle)
        self.origin = self._server.origin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def base_url(self, provider: str) -> str:
        """Return the address of *provider* as its SDK wants it: Anthropic's has no version."""
        suffix = "" if provider == "anthropic" else "/v1"
        return f"{self.origin}/{provider}{suffix}"

    def base_urls(self, *providers: str) -> dict[str, str]:
        """Return addresses by provider, as the setting PROVIDER_BASE_URLS takes them."""
        return {provider: self.base_url(provider) for provider in providers}

    def script(self, *answers: Scripted) -> None:
        """Answer the next requests so, in this order."""
        self._script.extend(answers)

    def answer_with(self, answer: AnswerFunction | None) -> None:
        """Answer by this function what the script does not; None: sensibly."""
        self._answer = answer

    @property
    def requests(self) -> list[Request]:
        """All requests, also those that could not be read."""
        return self._server.requests

    def asked_with(self, key: str) -> list[Asked]:
        """Return the requests that came with this Idempotency-Key."""
        return [asked for asked in self.asked if asked.key == key]

    def close(self) -> None:
        """Serve no more. Twice is harmless."""
        self._server.close()

    def _handle(self, request: Request) -> Reply:
        provider, _, rest = request.path.lstrip("/").partition("/")
        wire = _WIRES.get(rest)
        if request.method != "POST" or wire is None:
            return refuse_openai(Refusal(404, f"there is no {request.method} {request.path}"))
        refuse = wire.refuse
        if self.keys is not None and _key(request) not in self.keys:
            return refuse(Refusal(401, "Incorrect API key provided", code="invalid_api_key"))
        try:
            asked = wire.read(request, provider)
        except (Invalid, ValueError, KeyError, TypeError) as exc:
            return refuse(Refusal(400, str(exc)))
        with self._lock:
            self.asked.append(asked)
            scripted = self._script.popleft() if self._script else None
        if scripted is None and self._answer is not None:
            scripted = self._answer(asked)
        return self._reply(wire, asked, scripted or sensible_answer(asked))

    def _reply(self, wire: "_Wire", asked: Asked, answer: Scripted) -> Reply:
        match answer:
            case Refusal():
                return wire.refuse(answer)
            case BrokenAnswer(body=body, status=status, content_type=kind, breaks_off=breaks_off):
                headers = {"content-type": kind}
                return Reply(status=status, headers=headers, body=body, breaks_off=breaks_off)
            case Silence(seconds=seconds):
                self._server.closing.wait(seconds)
                return Reply(status=0)
            case Answer():
                return self._said(wire, asked, answer)

    def _said(self, wire: "_Wire", asked: Asked, answer: Answer) -> Reply:
        if answer.delay_s:
            self._server.closing.wait(answer.delay_s)
        id_ = str(next(self._ids))
        if not asked.stream:
            return Reply.json(wire.answer(asked, answer, id_), headers=answer.headers)
        return Reply(
            headers={"content-type": "text/event-stream", **answer.headers},
            body=self._paced(wire.stream(asked, answer, id_), answer),
            breaks_off=answer.cut_after is not None,
        )

    def _paced(self, events: Iterator[bytes], answer: Answer) -> Iterator[bytes]:
        told = 0
        for event in events:
            is_text = any(mark in event for mark in _TEXT_PIECES)
            if is_text and told == answer.cut_after:
                return
            yield event
            told += is_text
            if answer.piece_pause_s:
                self._server.closing.wait(answer.piece_pause_s)


class _Wire:
    """One API: how requests are read and answers written."""

    def __init__(
        self,
        read: Reader,
        refuse: Callable[[Refusal], Reply],
        answer: Callable[[Asked, Answer, str], dict[str, Any]],
        stream: Callable[[Asked, Answer, str], Iterator[bytes]],
    ) -> None:
        self.read = read
        self.refuse = refuse
        self.answer = answer
        self.stream = stream


_OPENAI: Final = _Wire(read_openai, refuse_openai, answer_openai, stream_openai)
_ANTHROPIC: Final = _Wire(read_anthropic, refuse_anthropic, answer_anthropic, stream_anthropic)
_RESPONSES: Final = _Wire(read_responses, refuse_openai, answer_responses, stream_responses)
_WIRES: Final = {
    "v1/responses": _RESPONSES,
    "v1/chat/completions": _OPENAI,
    "chat/completions": _OPENAI,
    "v1/messages": _ANTHROPIC,
}


def _key(request: Request) -> str:
    """Return the API key of *request*; empty without."""
    bearer = request.headers.get("authorization", "")
    return request.headers.get("x-api-key") or bearer.removeprefix("Bearer ").strip()
