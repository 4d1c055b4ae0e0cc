"""Exa: questions that it answers itself, and code that it finds."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.exa.service import EXA, MINE, ONE_CREDIT, ExaCallBase, ask, key_pin
from backend.blocks.exa.shapes import CITATION
from backend.sdk import Block, BlockContext, Category, Example, pin, pins
from backend.sdk.calling import Reads
from backend.sdk.services import ServiceCalls

_NAMES: Final = ("id", "url", "title", "author", "publishedDate", "text", "image", "favicon")
#: For examples; the stand-in knows it.
_CATS: Final = {
    **dict.fromkeys(_NAMES),
    "id": "https://example.com/cats",
    "url": "https://example.com/cats",
    "title": "Cats",
}


class ExaAnswerBlock(Reads, Block):
    """Lets Exa answer a question from the web, and say from where it knows."""

    id = "b79ca4cc-9d5e-47d1-9d4f-e3a2d7f28df5"
    categories = (Category.SEARCH, Category.AI)
    costs = ONE_CREDIT
    examples = (
        Example(
            inputs={"query": "What do cats do?", "credentials": MINE},
            outputs=[("answer", "They purr."), ("citations", [_CATS]), ("citation", _CATS)],
        ),
        Example(inputs={"query": "", "credentials": MINE}, error="there is no question"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        query: str = pin(description="The question.")
        text: bool = pin(default=True, description="Give the whole text of the pages too.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        answer: str = pin(description="The answer.")
        citations: list[dict[str, Any]] = pin(
            schema={"items": CITATION, "type": "array"}, description="The pages that it is from."
        )
        citation: dict[str, Any] = pin(
            title="AnswerCitation", schema=CITATION, description="Each of them, one by one."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Ask, and yield the answer, then where it is from."""
        if not inputs.query.strip():
            raise ValueError("there is no question")
        calls = EXA.calls(context, inputs.credentials)
        found = await ask(calls, "answer", {"query": inputs.query, "text": inputs.text})
        answer = calls.need(found, str, "answer")
        citations = [
            {name: each.get(name) for name in _NAMES} for each in calls.entries(found, "citations")
        ]
        for each in citations:
            calls.need(each, str, "url")
            calls.need(each, str, "id")
        yield "answer", answer
        yield "citations", citations
        for each in citations:
            yield "citation", each


class ExaCodeContextBlock(ExaCallBase):
    """Finds code and documentation with Exa, in one text for a model."""

    id = "8f9e0d1c-2b3a-4567-8901-23456789abcd"
    categories = (Category.SEARCH, Category.DEVELOPER_TOOLS)
    examples = (
        Example(
            inputs={"query": "purr in Rust", "credentials": MINE},
            outputs=[
                ("request_id", "q1"),
                ("query", "purr in Rust"),
                ("response", "fn purr() {}"),
                ("results_count", 3),
                ("cost_dollars", '{"total":1}'),
                ("search_time", 12.5),
                ("output_tokens", 40),
            ],
        ),
        Example(
            inputs={"query": "x", "tokens_num": "many", "credentials": MINE},
            error="tokens_num: a number from 50 to 100000, or dynamic",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        query: str = pin(description="What the code is to do.")
        tokens_num: str | int = pin(
            default="dynamic", description="How long the text is, in tokens; or dynamic."
        )

    @pins
    class Output:
        """Output pins."""

        request_id: str = pin(description="The question, as Exa names it.")
        query: str = pin(description="What was asked.")
        response: str = pin(description="The text.")
        results_count: int = pin(description="From so many places it is.")
        cost_dollars: str = pin(description="What it has cost, in US dollars.")
        search_time: float = pin(description="How long it took, in milliseconds.")
        output_tokens: int = pin(description="How long the text is, in tokens.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Find it."""
        found = await ask(
            calls, "context", {"query": inputs.query, "tokensNum": _tokens(inputs.tokens_num)}
        )
        return {
            "request_id": calls.need(found, str, "requestId"),
            "query": str(found.get("query") or inputs.query),
            "response": calls.need(found, str, "response"),
            "results_count": _number(found.get("resultsCount")),
            "cost_dollars": str(found.get("costDollars") or ""),
            "search_time": float(_number(found.get("searchTime"))),
            "output_tokens": _number(found.get("outputTokens")),
        }


def _tokens(wanted: str | int) -> str | int:
    text = str(wanted).strip()
    if text == "dynamic":
        return text
    if not (text.isascii() and text.isdigit() and 50 <= int(text) <= 100_000):  # noqa: PLR2004 - what it takes
        raise ValueError("tokens_num: a number from 50 to 100000, or dynamic")
    return int(text)


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) else 0
