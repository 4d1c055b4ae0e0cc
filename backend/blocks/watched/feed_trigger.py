"""FeedTrigger: each new entry of a feed starts the agent."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    WebhookConfig,
    pin,
    pins,
)

_ENTRY: Final[dict[str, Any]] = {
    "id": "https://example.com/new",
    "title": "New & good",
    "link": "https://example.com/new",
    "description": "About new",
    "pub_date": "2026-01-31T12:37:00+00:00",
    "author": "ann@example.com",
    "categories": ["a", "b"],
}


class Runs(StrEnum):
    """How many runs the new entries of one look start."""

    ENTRY = "entry"
    POLL = "poll"


class FeedTriggerBlock(Block):
    """
    Starts the agent when a feed, RSS or Atom, has a new entry.

    The server looks at the feed as often as the interval says. What is there when the trigger is
    set up starts nothing, unless *from_now* is off.
    """

    id = "72333a9f-06d6-4c81-b87e-39a70cebcd75"
    categories = (Category.INPUT,)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(provider="feed", webhook_type="entry")
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"url": "https://example.com/feed.xml", "payload": {"entry": _ENTRY}},
            outputs=[
                ("entry", _ENTRY),
                ("title", "New & good"),
                ("link", "https://example.com/new"),
                ("summary", "About new"),
                ("published", "2026-01-31T12:37:00+00:00"),
                ("author", "ann@example.com"),
                ("categories", ["a", "b"]),
            ],
        ),
        Example(
            inputs={
                "url": "https://example.com/feed.xml",
                "runs": "poll",
                "payload": {"entries": [_ENTRY]},
            },
            outputs=[("entries", [_ENTRY])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What was found."
        )
        url: str = pin(
            description="The address of the feed.", placeholder="https://example.com/feed.xml"
        )
        interval: int = pin(default=300, description="Seconds between two looks.")
        runs: Runs = pin(
            default=Runs.ENTRY,
            description="One run for each new entry, or one for all that a look has found.",
        )
        from_now: bool = pin(
            default=True, description="Begin with what comes; else with what is there already."
        )

    @pins
    class Output:
        """Output pins."""

        entry: dict[str, Any] = pin(description="The entry, whole.")
        title: str = pin(description="Its title.")
        link: str = pin(description="Where it is.")
        summary: str = pin(description="What it says, as the feed has it.")
        published: str = pin(description="When it was published; empty if the feed does not say.")
        author: str = pin(description="Who wrote it.")
        categories: list[str] = pin(description="Its categories.")
        entries: list[Any] = pin(description="All new entries, where a look starts one run.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the entry, or the entries."""
        entries = inputs.payload.get("entries")
        if isinstance(entries, list):
            yield "entries", entries
            return
        entry = inputs.payload.get("entry")
        if not isinstance(entry, dict):
            raise ValueError("there is no entry: this agent is started by its feed")  # noqa: TRY004 - of the node, not of our code
        yield "entry", entry
        for pin_name, name in (
            ("title", "title"),
            ("link", "link"),
            ("summary", "description"),
            ("published", "pub_date"),
            ("author", "author"),
        ):
            yield pin_name, str(entry.get(name, ""))
        yield "categories", list(entry.get("categories") or [])
