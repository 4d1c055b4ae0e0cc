"""Jina's models for texts: vectors of them, and the parts that they are best cut into."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from backend.blocks.jina.service import API, MINE
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    JsonObject,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import ServiceCalls

#: Texts of one request; the service takes more, but each answer has a thousand numbers for each.
_AT_ONCE: Final = 128
_MOST_TEXTS: Final = 10_000
#: Of one text that is cut: what the service takes.
_LONGEST: Final = 64_000
#: The operator's key, and what a run with it costs (spec/semantics.md 1.5).
_LENT: Final = {
    "id": "7f26de70-ba0d-494e-ba76-238e65e7b45f",
    "provider": "jina",
    "type": "api_key",
}


class JinaEmbeddingBlock(Block):
    """Turns texts into vectors: the nearer two are, the more alike is what their texts mean."""

    id = "7c56b3ab-62e7-43a2-a2dc-4ec4245660b6"
    categories = (Category.AI,)
    effect = Effect.READ
    retries = 2
    costs = ({"cost_amount": 12, "cost_filter": {"credentials": _LENT}, "cost_type": "run"},)
    examples = (
        Example(
            inputs={"texts": ["cat", "caravan"], "credentials": MINE},
            outputs=[("embeddings", [[3.0, 0.5], [7.0, 0.5]])],
        ),
        Example(inputs={"texts": [], "credentials": MINE}, outputs=[("embeddings", [])]),
        Example(inputs={"texts": ["cat", 7], "credentials": MINE}, error="text 2 is no text"),
        Example(
            inputs={"texts": ["cat"], "model": "none", "credentials": MINE},
            error="Jina answers with status 422",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        texts: list[Any] = pin(description="The texts.")
        credentials: dict[str, Any] = credentials_pin(
            ["jina"], [CredentialsKind.KEY], description="A key of Jina."
        )
        model: str = pin(
            default="jina-embeddings-v2-base-en",
            advanced=True,
            description="The model. Vectors of different models cannot be compared.",
        )

    @pins
    class Output:
        """Output pins."""

        embeddings: list[Any] = pin(description="A vector for each text, in their order.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the vectors."""
        texts = _texts(inputs.texts)
        calls = API.calls(context, inputs.credentials)
        vectors: list[Any] = []
        for start in range(0, len(texts), _AT_ONCE):
            vectors += await _embedded(calls, inputs.model, texts[start : start + _AT_ONCE])
        yield "embeddings", vectors


async def _embedded(calls: ServiceCalls, model: str, texts: Sequence[str]) -> list[Any]:
    answer = await calls.object("POST", "v1/embeddings", value={"model": model, "input": [*texts]})
    rows = calls.entries(answer, "data")
    # The service numbers them; that they come in order is nowhere promised.
    found = {row.get("index", place): row.get("embedding") for place, row in enumerate(rows)}
    vectors = [found.get(place) for place in range(len(texts))]
    if not all(isinstance(vector, list) for vector in vectors):
        raise calls.nonsense("it has not one vector for each text")
    return vectors


class JinaChunkingBlock(Block):
    """Cuts texts into parts at the places where their meaning changes."""

    id = "806fb15e-830f-4796-8692-557d300ff43c"
    categories = (Category.AI, Category.TEXT)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"texts": ["One. Two.", "Three."], "credentials": MINE},
            outputs=[("chunks", ["One. ", "Two.", "Three."])],
        ),
        Example(
            inputs={"texts": ["One. Two."], "return_tokens": True, "credentials": MINE},
            outputs=[
                ("chunks", ["One. ", "Two."]),
                ("tokens", [[["One. ", [1]]], [["Two.", [2]]]]),
            ],
        ),
        Example(inputs={"texts": [""], "credentials": MINE}, outputs=[("chunks", [])]),
        Example(
            inputs={"texts": ["x"], "max_chunk_length": 0, "credentials": MINE},
            error="max_chunk_length must be at least 1",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        texts: list[Any] = pin(description="The texts, up to 64,000 characters each.")
        credentials: dict[str, Any] = credentials_pin(
            ["jina"], [CredentialsKind.KEY], description="A key of Jina."
        )
        max_chunk_length: int = pin(
            default=1000, advanced=True, description="The most characters of a part."
        )
        return_tokens: bool = pin(
            default=False, advanced=True, description="Tell the tokens of each part, too."
        )

    @pins
    class Output:
        """Output pins."""

        chunks: list[Any] = pin(description="The parts of all texts, in their order.")
        tokens: list[Any] = pin(
            description="For each part its tokens, if wanted: pairs of a text and its numbers."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the parts."""
        if inputs.max_chunk_length < 1:
            raise ValueError("max_chunk_length must be at least 1")
        calls = API.calls(context, inputs.credentials)
        chunks: list[Any] = []
        tokens: list[Any] = []
        for place, text in enumerate(_texts(inputs.texts), 1):
            if len(text) > _LONGEST:
                raise ValueError(f"text {place} is longer than {_LONGEST} characters")
            if not text.strip():
                continue
            asked: JsonObject = {
                "content": text,
                "return_chunks": True,
                "return_tokens": inputs.return_tokens,
                "max_chunk_length": inputs.max_chunk_length,
            }
            answer = await calls.object("POST", "v1/segment", value=asked)
            found = answer.get("chunks")
            if not isinstance(found, list):
                raise calls.nonsense("it has no parts")
            chunks += found
            tokens += answer.get("tokens") or []
        yield "chunks", chunks
        if inputs.return_tokens:
            yield "tokens", tokens


def _texts(given: Sequence[Any]) -> list[str]:
    """Return *given*, texts alone. Raises ValueError for anything else."""
    if len(given) > _MOST_TEXTS:
        raise ValueError(f"there are {len(given)} texts, and {_MOST_TEXTS} are the most")
    for place, text in enumerate(given, 1):
        if not isinstance(text, str):
            raise ValueError(f"text {place} is no text")  # noqa: TRY004 - of the node, not of our code
    return [*given]
