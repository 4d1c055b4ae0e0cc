"""Exa: how its blocks ask it, and pins that several of them have."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from backend.blocks.exa.shapes import CONTENTS, COST, NO_CONTENTS, RESULT
from backend.sdk import Block, BlockContext, CredentialsKind, Json, credentials_pin, pin, pins
from backend.sdk.calling import CallingBase, Reads
from backend.sdk.services import Service, ServiceCalls

#: It may read pages at the time of asking, in a browser.
EXA: Final = Service(provider="exa", name="Exa", url="https://api.exa.ai", header="x-api-key")
#: For examples.
MINE: Final = {"id": "mine", "provider": "exa", "type": "api_key"}
_UNDERLINED: Final = re.compile(r"_([a-z])")
MOST_RESULTS: Final = 100
_MOMENT: Final = {"anyOf": [{"format": "date-time", "type": "string"}, {"type": "null"}]}
#: One run is one credit.
ONE_CREDIT: Final = ({"cost_amount": 1, "cost_filter": {}, "cost_type": "run"},)


def key_pin() -> Any:
    """Return the pin that takes a key of Exa."""
    return credentials_pin(
        ["exa"], [CredentialsKind.KEY], of_package=True, description="A key of Exa."
    )


def moment_pin(description: str) -> Any:
    """Return a pin that takes a moment."""
    return pin(default=None, schema=_MOMENT, description=description)


@pins
class NarrowedInput:
    """By what pages are chosen, and what is wanted of them."""

    number_of_results: int = pin(default=10, description="So many at the most.")
    include_domains: list[str] = pin(default_factory=list, description="Of these hosts alone.")
    exclude_domains: list[str] = pin(default_factory=list, description="Of none of these hosts.")
    start_crawl_date: str | None = moment_pin("Read by Exa after it.")
    end_crawl_date: str | None = moment_pin("Read by Exa before it.")
    start_published_date: str | None = moment_pin("Published after it.")
    end_published_date: str | None = moment_pin("Published before it.")
    include_text: list[str] = pin(default_factory=list, description="Words that they have.")
    exclude_text: list[str] = pin(default_factory=list, description="Words that they have not.")
    contents: dict[str, Any] = pin(
        default_factory=lambda: dict(NO_CONTENTS),
        title="ContentSettings",
        schema={**CONTENTS, "default": dict(NO_CONTENTS)},
        description="What is given of each page: text, highlights, a summary and so on.",
    )
    moderation: bool = pin(default=False, description="Leave out what is unsafe.")


@pins
class FoundOutput:
    """Pages that were found."""

    error: str = pin(description="What went wrong.")
    results: list[dict[str, Any]] = pin(
        schema={"items": RESULT, "type": "array"}, description="The pages."
    )
    result: dict[str, Any] = pin(
        title="ExaSearchResults", schema=RESULT, description="Each of them, one after the other."
    )
    context: str = pin(description="All of them in one text, for a model; if it was asked for.")
    cost_dollars: dict[str, Any] | None = pin(
        title="", schema=COST, description="What it has cost, in US dollars."
    )


class ExaBase(Reads, Block):
    """
    A block that finds pages.

    ``work(self, calls: ServiceCalls, inputs: Input)`` returns the whole answer.

    Attributes:
        also: Pins for parts of the answer, beside those of `FoundOutput`: by the part's name.
    """

    costs = ONE_CREDIT
    also: ClassVar[Mapping[str, str]] = {}
    work: Callable[..., Any]

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Find them, and yield all of them, then each."""
        calls = EXA.calls(context, inputs.credentials)
        found = await self.work(calls, inputs)
        results = calls.entries(found, "results")
        for each in results:
            calls.need(each, str, "id")
        yield "results", results
        for each in results:
            yield "result", each
        names = {"context": "context", "costDollars": "cost_dollars", **self.also}
        for name, pin_name in names.items():
            if found.get(name) not in (None, ""):
                yield pin_name, found[name]


class ExaCallBase(Reads, CallingBase):
    """A block of Exa that gives one thing."""

    service = EXA
    costs = ONE_CREDIT


def narrowed(inputs: NarrowedInput) -> dict[str, Json]:
    """Return by what pages are chosen, in Exa's words; what nobody said is left out."""
    if not 1 <= inputs.number_of_results <= MOST_RESULTS:
        raise ValueError(f"number_of_results: 1 to {MOST_RESULTS}")
    names = (
        "include_domains",
        "exclude_domains",
        "start_crawl_date",
        "end_crawl_date",
        "start_published_date",
        "end_published_date",
        "include_text",
        "exclude_text",
    )
    said: dict[str, Json] = {"numResults": inputs.number_of_results}
    said |= {in_its_words(name): getattr(inputs, name) for name in names if getattr(inputs, name)}
    if inputs.moderation:
        said["moderation"] = True
    if contents := contents_of(inputs.contents):
        said["contents"] = contents
    return said


def contents_of(wanted: Mapping[str, Any]) -> dict[str, Json]:
    """Return what is wanted of pages, in Exa's words; what is off, or not said, is left out."""
    said: dict[str, Json] = {}
    for name, value in wanted.items():
        meant = _switched(value) if name in ("text", "context") else value
        if meant is None or meant is False:
            continue
        if isinstance(meant, Mapping):
            # The schema of a summary is the asker's own, and keeps its words.
            meant = {in_its_words(key): each for key, each in meant.items() if each is not None}
        said[in_its_words(name)] = meant
    return said


def in_its_words(name: str) -> str:
    """Return the name of a pin as Exa spells it: ``num_sentences`` is ``numSentences``."""
    return _UNDERLINED.sub(lambda match: match[1].upper(), name)


async def ask(calls: ServiceCalls, path: str, said: Mapping[str, Json]) -> dict[str, Any]:
    """Return what Exa answers. Nothing is changed there by asking."""
    return await calls.object("POST", path, value=dict(said))


def texts(values: Sequence[str]) -> list[str]:
    """Return those of *values* that have any letters."""
    return [value.strip() for value in values if value.strip()]


def _switched(value: Any) -> Any:
    """Return whether something is on, or how; None if nobody said it."""
    if not isinstance(value, Mapping):
        return value
    match value.get("discriminator"):
        case "disabled":
            return False
        case "advanced":
            said = {key: each for key, each in value.items() if key != "discriminator"}
            return {key: each for key, each in said.items() if each is not None} or True
        case _:
            return True
