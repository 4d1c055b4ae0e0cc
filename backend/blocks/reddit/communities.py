"""Reddit: what communities are about, their rules and their flairs."""

from typing import Any, Final

from backend.blocks.reddit.service import (
    MINE,
    InCommunity,
    RedditBase,
    RedditListBase,
    ask,
    community,
)
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Reads
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import many, record

_IN: Final = {"subreddit": "cats", "credentials": MINE}
_RULE: Final = {
    "short_name": "Be kind",
    "description": "To all",
    "kind": "all",
    "violation_reason": "Unkind",
    "priority": 0,
}
_FLAIR: Final = {"flair_id": "f1", "text": "Story", "text_editable": True, "css_class": "s"}


_RULE_SHAPE: Final = record(
    {"short_name": str, "description": str, "kind": str, "violation_reason": str, "priority": int}
)
_FLAIR_SHAPE: Final = record(
    {
        "flair_id": str,
        "text": str,
        "text_editable": bool,
        "css_class": {"default": "", "type": "string"},
    },
    optional=["css_class"],
)


class GetSubredditInfoBlock(Reads, RedditBase):
    """Tells what a community at Reddit is about."""

    id = "5a2d1f0c-01fb-43ea-bad7-2260d269c930"
    examples = (
        Example(
            inputs=_IN,
            outputs=[
                (
                    "info",
                    {
                        "name": "t5_x",
                        "display_name": "cats",
                        "title": "Cats",
                        "description": "All about cats",
                        "public_description": "Cats",
                        "subscribers": 9,
                        "created_utc": 1700000000.0,
                        "over_18": False,
                        "url": "https://www.reddit.com/r/cats/",
                    },
                ),
                ("subreddit", "cats"),
            ],
        ),
        Example(inputs={**_IN, "subreddit": "gone"}, error="status 404: Not Found"),
    )

    Input = InCommunity

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        info: dict[str, Any] = pin(
            title="SubredditInfo",
            schema=record(
                {
                    "name": str,
                    "display_name": str,
                    "title": str,
                    "description": str,
                    "public_description": str,
                    "subscribers": int,
                    "created_utc": float,
                    "over_18": bool,
                    "url": str,
                }
            ),
            description="What is known of it.",
        )
        subreddit: str = pin(description="The community.")

    async def work(self, calls: ServiceCalls, inputs: InCommunity) -> dict[str, Any]:
        """Ask."""
        answer = await ask(calls, f"{community(inputs.subreddit)}/about")
        found = calls.need(answer, dict, "data")
        texts = ("title", "description", "public_description")
        return {
            "info": {
                "name": calls.need(found, str, "name"),
                "display_name": calls.need(found, str, "display_name"),
                **{name: str(found.get(name) or "") for name in texts},
                "subscribers": int(found.get("subscribers") or 0),
                "created_utc": float(found.get("created_utc") or 0),
                "over_18": bool(found.get("over18")),
                "url": f"https://www.reddit.com{found.get('url') or ''}",
            },
            "subreddit": inputs.subreddit,
        }


class GetSubredditRulesBlock(RedditListBase):
    """Lists the rules of a community at Reddit."""

    id = "222aa36c-fa70-4879-8e8a-37d100175f5c"
    each, every = "rule", "rules"
    also = ("subreddit",)
    examples = (
        Example(inputs=_IN, outputs=[("rules", [_RULE]), ("rule", _RULE), ("subreddit", "cats")]),
    )

    Input = InCommunity

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        rule: dict[str, Any] = pin(title="SubredditRule", schema=_RULE_SHAPE, description="A rule.")
        rules: list[dict[str, Any]] = pin(
            schema=many(_RULE_SHAPE, "SubredditRule"), description="All of them."
        )
        subreddit: str = pin(description="The community.")

    async def work(self, calls: ServiceCalls, inputs: InCommunity) -> list[dict[str, Any]]:
        """Ask."""
        found = await ask(calls, f"{community(inputs.subreddit)}/about/rules")
        rules = calls.entries(calls.need(found, dict), "rules")
        texts = ("short_name", "description", "kind", "violation_reason")
        return [
            {
                **{name: str(rule.get(name) or "") for name in texts},
                "priority": int(rule.get("priority") or 0),
            }
            for rule in rules
        ]


class GetSubredditFlairsBlock(RedditListBase):
    """Lists the flairs that posts in a community at Reddit can have."""

    id = "ada08f34-a7a9-44aa-869f-0638fa4e0a84"
    each, every = "flair", "flairs"
    also = ("subreddit",)
    examples = (
        Example(
            inputs=_IN, outputs=[("flairs", [_FLAIR]), ("flair", _FLAIR), ("subreddit", "cats")]
        ),
    )

    Input = InCommunity

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        flair: dict[str, Any] = pin(
            title="SubredditFlair", schema=_FLAIR_SHAPE, description="A flair."
        )
        flairs: list[dict[str, Any]] = pin(
            schema=many(_FLAIR_SHAPE, "SubredditFlair"), description="All of them."
        )
        subreddit: str = pin(description="The community.")

    async def work(self, calls: ServiceCalls, inputs: InCommunity) -> list[dict[str, Any]]:
        """Ask."""
        found = await ask(calls, f"{community(inputs.subreddit)}/api/link_flair_v2")
        return [
            {
                "flair_id": calls.need(flair, str, "id"),
                "text": str(flair.get("text") or ""),
                "text_editable": bool(flair.get("text_editable")),
                "css_class": str(flair.get("css_class") or ""),
            }
            for flair in calls.entries({"": found}, "")
        ]
