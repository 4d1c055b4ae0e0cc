"""Reddit: who somebody is, and messages between people."""

from typing import Any, Final

from backend.blocks.reddit.service import (
    MINE,
    Account,
    RedditBase,
    RedditListBase,
    ask,
    author_of,
    person,
    send,
    things,
    user_name,
)
from backend.sdk import Effect, Example, FormBody, pin, pins
from backend.sdk.calling import Makes, Reads
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import many, record

_INBOX: Final = {
    "enum": ["all", "unread", "messages", "mentions", "comment_replies"],
    "type": "string",
}
_PLACES: Final = {"all": "inbox", "comment_replies": "comments"}
_ITEM: Final = {
    "item_id": "t4_m1",
    "item_type": "message",
    "subject": "Hello",
    "body": "How are you?",
    "author": "bob",
    "created_utc": 1769853600.0,
    "is_read": False,
    "context": None,
}


_ITEM_SHAPE: Final = record(
    {
        "item_id": str,
        "item_type": str,
        "subject": str,
        "body": str,
        "author": str,
        "created_utc": float,
        "is_read": bool,
        "context": str | None,
    }
)


class GetRedditUserInfoBlock(Reads, RedditBase):
    """Tells what is known at Reddit of somebody."""

    id = "1b4c6bd1-4f28-4bad-9ae9-e7034a0f61ff"
    examples = (
        Example(
            inputs={"username": "ann", "credentials": MINE},
            outputs=[
                (
                    "user",
                    {
                        "username": "ann",
                        "user_id": "u1",
                        "comment_karma": 1,
                        "link_karma": 2,
                        "total_karma": 3,
                        "created_utc": 1600000000.0,
                        "is_gold": False,
                        "is_mod": True,
                        "has_verified_email": True,
                        "moderated_subreddits": ["cats"],
                        "profile_subreddit": {
                            "name": "u_ann",
                            "title": "Ann",
                            "public_description": "",
                            "subscribers": 0,
                            "over_18": False,
                        },
                    },
                ),
                ("username", "ann"),
            ],
        ),
        Example(inputs={"username": "nobody", "credentials": MINE}, error="status 404: Not Found"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        username: str = pin(description="Who it is.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        user: dict[str, Any] = pin(
            title="RedditUserInfo",
            schema={
                "properties": {
                    "username": {"title": "Username", "type": "string"},
                    "user_id": {"title": "User Id", "type": "string"},
                    "comment_karma": {"title": "Comment Karma", "type": "integer"},
                    "link_karma": {"title": "Link Karma", "type": "integer"},
                    "total_karma": {"title": "Total Karma", "type": "integer"},
                    "created_utc": {"title": "Created Utc", "type": "number"},
                    "is_gold": {"title": "Is Gold", "type": "boolean"},
                    "is_mod": {"title": "Is Mod", "type": "boolean"},
                    "has_verified_email": {"title": "Has Verified Email", "type": "boolean"},
                    "moderated_subreddits": {
                        "items": {"type": "string"},
                        "title": "Moderated Subreddits",
                        "type": "array",
                    },
                    "profile_subreddit": {
                        "anyOf": [
                            {
                                "properties": {
                                    "name": {"title": "Name", "type": "string"},
                                    "title": {"title": "Title", "type": "string"},
                                    "public_description": {
                                        "title": "Public Description",
                                        "type": "string",
                                    },
                                    "subscribers": {"title": "Subscribers", "type": "integer"},
                                    "over_18": {"title": "Over 18", "type": "boolean"},
                                },
                                "required": [
                                    "name",
                                    "title",
                                    "public_description",
                                    "subscribers",
                                    "over_18",
                                ],
                                "title": "RedditUserProfileSubreddit",
                                "type": "object",
                            },
                            {"type": "null"},
                        ]
                    },
                },
                "required": [
                    "username",
                    "user_id",
                    "comment_karma",
                    "link_karma",
                    "total_karma",
                    "created_utc",
                    "is_gold",
                    "is_mod",
                    "has_verified_email",
                    "moderated_subreddits",
                    "profile_subreddit",
                ],
                "type": "object",
            },
            description="What is known.",
        )
        username: str = pin(description="Who it is.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Ask."""
        path = person(inputs.username)
        found = calls.need(await ask(calls, f"{path}/about"), dict, "data")
        moderated: list[str] = []
        if found.get("is_mod"):
            kept = calls.need(await ask(calls, f"{path}/moderated_subreddits"), dict)
            moderated = [str(each.get("sr")) for each in calls.entries(kept, "data")]
        numbers = ("comment_karma", "link_karma", "total_karma")
        truths = ("is_gold", "is_mod", "has_verified_email")
        return {
            "user": {
                "username": calls.need(found, str, "name"),
                "user_id": calls.need(found, str, "id"),
                **{name: int(found.get(name) or 0) for name in numbers},
                "created_utc": float(found.get("created_utc") or 0),
                **{name: bool(found.get(name)) for name in truths},
                "moderated_subreddits": moderated,
                "profile_subreddit": _profile(found.get("subreddit")),
            },
            "username": user_name(inputs.username),
        }


def _profile(found: Any) -> dict[str, Any] | None:
    if not isinstance(found, dict):
        return None
    return {
        "name": str(found.get("display_name") or ""),
        "title": str(found.get("title") or ""),
        "public_description": str(found.get("public_description") or ""),
        "subscribers": int(found.get("subscribers") or 0),
        "over_18": bool(found.get("over_18")),
    }


class GetRedditInboxBlock(RedditListBase):
    """Reads what others have written to the account at Reddit."""

    id = "5a91bb34-7ffe-4b9e-957b-9d4f8fe8dbc9"
    # That a message has been read can be said twice.
    effect = Effect.IDEMPOTENT
    each, every = "item", "items"
    examples = (
        Example(
            inputs={"mark_read": True, "credentials": MINE},
            outputs=[("items", [_ITEM]), ("item", _ITEM)],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        inbox_type: str = pin(default="unread", schema=_INBOX, description="What of it.")
        limit: int = pin(default=25, description="How many at the most.")
        mark_read: bool = pin(default=False, description="Say that it has been read.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        item: dict[str, Any] = pin(
            title="RedditInboxItem", schema=_ITEM_SHAPE, description="A message, or a comment."
        )
        items: list[dict[str, Any]] = pin(
            schema=many(_ITEM_SHAPE, "RedditInboxItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """Read it."""
        place = _PLACES.get(inputs.inbox_type, inputs.inbox_type)
        found = await things(calls, f"message/{place}", most=inputs.limit)
        items = [
            {
                "item_id": calls.need(each, str, "name"),
                "item_type": "comment" if each.get("was_comment") else "message",
                "subject": str(each.get("subject") or ""),
                "body": str(each.get("body") or ""),
                "author": author_of(each),
                "created_utc": float(each.get("created_utc") or 0),
                "is_read": not each.get("new"),
                "context": each.get("context") or None,
            }
            for each in found
        ]
        fresh = [str(item["item_id"]) for item in items if not item["is_read"]]
        if inputs.mark_read and fresh:
            body = FormBody(fields={"id": ",".join(fresh)})
            await calls.send("POST", "api/read_message", body=body)
        return items


class SendRedditMessageBlock(Makes, RedditBase):
    """Sends somebody at Reddit a private message."""

    id = "7921101a-0537-4259-82ea-bc186ca6b1b6"
    examples = (
        Example(
            inputs={"username": "bob", "subject": "Hi", "message": "Meow", "credentials": MINE},
            outputs=[("success", True), ("username", "bob")],
        ),
        Example(
            inputs={"username": "nobody", "subject": "Hi", "message": "x", "credentials": MINE},
            error="Reddit answers: USER_DOESNT_EXIST: that user doesn't exist",
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        username: str = pin(description="Who gets it.")
        subject: str = pin(description="What it is about.")
        message: str = pin(description="What it says, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        success: bool = pin(description="That it is sent.")
        username: str = pin(description="Who gets it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Send it."""
        to = user_name(inputs.username)
        fields = {"to": to, "subject": inputs.subject, "text": inputs.message}
        await send(calls, "api/compose", fields)
        return {"success": True, "username": to}
