"""GitHub: what starts an agent when something happens in a repository."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.blocks.github.service import MINE, account_pin
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

_SENDER: Final = {"login": "ann"}
_REPO: Final = "ann/cats"


def _events(*names: str) -> Any:
    """Return the pin that chooses events: a boolean for each of *names*."""
    properties = {
        name: {"default": False, "title": name.replace("_", " ").title(), "type": "boolean"}
        for name in names
    }
    return pin(
        description="Which events start the agent.",
        schema={"type": "object", "title": "Events", "properties": properties},
    )


@pins
class _In:
    """What all of them take."""

    credentials: dict[str, Any] = account_pin("repo")
    repo: str = pin(description="The repository: owner/name.", placeholder=_REPO)
    payload: dict[str, Any] = pin(
        default_factory=dict, hidden=True, description="What GitHub sent."
    )


@pins
class _Out:
    """What all of them give."""

    error: str = pin(description="What is missing in what was sent.")
    payload: dict[str, Any] = pin(description="All that GitHub sent.")
    triggered_by_user: dict[str, Any] = pin(description="Whose deed it was.")
    event: str = pin(description="What happened.")


def _at(payload: Mapping[str, Any], *path: str) -> Any:
    found: Any = payload
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


class GithubTriggerBase(Block):
    """A block that GitHub starts."""

    categories = (Category.DEVELOPER_TOOLS, Category.INPUT)
    block_type = BlockType.WEBHOOK
    effect = Effect.PURE
    #: Where in the payload each output is; what is not there is not given out.
    places: Mapping[str, tuple[str, ...]] = {}

    def run(self, inputs: Any, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what was sent, and its parts."""
        payload = inputs.payload
        if not payload:
            raise ValueError("There is no payload: GitHub sends one, or give one to try it out.")
        yield "payload", payload
        always = {"triggered_by_user": ("sender",), "event": ("action",)}
        for name, path in {**always, **self.places}.items():
            value = _at(payload, *path)
            if value is not None:
                yield name, value


def _config(kind: str) -> WebhookConfig:
    return WebhookConfig(
        provider="github",
        webhook_type="repo",
        event_filter_input="events",
        event_format=f"{kind}.{{event}}",
        resource_format="{repo}",
    )


def _examples(event: str, payload: Mapping[str, Any], *outputs: tuple[str, Any]) -> Any:
    sent = {"action": event, "sender": _SENDER, **payload}
    given = {"credentials": MINE, "repo": _REPO, "events": {event: True}}
    return (
        Example(
            inputs={**given, "payload": sent},
            outputs=[
                ("payload", sent),
                ("triggered_by_user", _SENDER),
                ("event", event),
                *outputs,
            ],
        ),
        Example(inputs={**given, "payload": {}}, error="There is no payload"),
    )


_PULL: Final = {"html_url": f"https://github.com/{_REPO}/pull/2", "title": "Meow less"}
_ISSUE: Final = {
    "html_url": f"https://github.com/{_REPO}/issues/1",
    "title": "It meows",
    "body": "Loudly",
    "labels": [],
    "assignees": [],
    "state": "open",
}
_DISCUSSION: Final = {
    "number": 3,
    "html_url": f"https://github.com/{_REPO}/discussions/3",
    "title": "Why?",
    "body": "Tell",
    "category": {"name": "Q&A"},
    "state": "open",
}
_RELEASE: Final = {
    "html_url": f"https://github.com/{_REPO}/releases/1",
    "tag_name": "v1",
    "name": "One",
    "body": "All new",
    "prerelease": False,
    "draft": False,
    "assets": [],
}


class GithubPullRequestTriggerBlock(GithubTriggerBase):
    """Starts the agent when something happens to a pull request."""

    id = "6c60ec01-8128-419e-988f-96a063ee2fea"
    webhook = _config("pull_request")
    places = {  # noqa: RUF012 - a mapping that nobody changes
        "number": ("number",),
        "pull_request": ("pull_request",),
        "pull_request_url": ("pull_request", "html_url"),
    }
    examples = _examples(
        "opened",
        {"number": 2, "pull_request": _PULL},
        ("number", 2),
        ("pull_request", _PULL),
        ("pull_request_url", _PULL["html_url"]),
    )

    @pins
    class Input(_In):
        """Input pins."""

        events: dict[str, Any] = _events(
            *("opened", "edited", "closed", "reopened", "synchronize", "assigned", "unassigned"),
            *("labeled", "unlabeled", "converted_to_draft", "locked", "unlocked", "enqueued"),
            *("dequeued", "milestoned", "demilestoned", "ready_for_review", "review_requested"),
            *("review_request_removed", "auto_merge_enabled", "auto_merge_disabled"),
        )

    @pins
    class Output(_Out):
        """Output pins."""

        number: int = pin(description="The pull request's number.")
        pull_request: dict[str, Any] = pin(description="The pull request.")
        pull_request_url: str = pin(description="Its address.")


class GithubIssuesTriggerBlock(GithubTriggerBase):
    """Starts the agent when something happens to an issue."""

    id = "b2605464-e486-4bf4-aad3-d8a213c8a48a"
    webhook = _config("issues")
    places = {  # noqa: RUF012 - a mapping that nobody changes
        "number": ("issue", "number"),
        "issue": ("issue",),
        "issue_url": ("issue", "html_url"),
        "issue_title": ("issue", "title"),
        "issue_body": ("issue", "body"),
        "labels": ("issue", "labels"),
        "assignees": ("issue", "assignees"),
        "state": ("issue", "state"),
    }
    examples = _examples(
        "opened",
        {"issue": {**_ISSUE, "number": 1}},
        ("number", 1),
        ("issue", {**_ISSUE, "number": 1}),
        ("issue_url", _ISSUE["html_url"]),
        ("issue_title", "It meows"),
        ("issue_body", "Loudly"),
        ("labels", []),
        ("assignees", []),
        ("state", "open"),
    )

    @pins
    class Input(_In):
        """Input pins."""

        events: dict[str, Any] = _events(
            *("opened", "edited", "deleted", "closed", "reopened", "assigned", "unassigned"),
            *("labeled", "unlabeled", "locked", "unlocked", "transferred", "milestoned"),
            *("demilestoned", "pinned", "unpinned"),
        )

    @pins
    class Output(_Out):
        """Output pins."""

        number: int = pin(description="The issue's number.")
        issue: dict[str, Any] = pin(description="The issue.")
        issue_url: str = pin(description="Its address.")
        issue_title: str = pin(description="Its title.")
        issue_body: str = pin(description="What it says.")
        labels: list[Any] = pin(description="Its labels.")
        assignees: list[Any] = pin(description="Who works at it.")
        state: str = pin(description="open or closed.")


class GithubDiscussionTriggerBlock(GithubTriggerBase):
    """Starts the agent when something happens to a discussion."""

    id = "87f847b3-d81a-424e-8e89-acadb5c9d52b"
    webhook = _config("discussion")
    places = {  # noqa: RUF012 - a mapping that nobody changes
        "number": ("discussion", "number"),
        "discussion": ("discussion",),
        "discussion_url": ("discussion", "html_url"),
        "title": ("discussion", "title"),
        "body": ("discussion", "body"),
        "category": ("discussion", "category"),
        "category_name": ("discussion", "category", "name"),
        "state": ("discussion", "state"),
    }
    examples = _examples(
        "created",
        {"discussion": _DISCUSSION},
        ("number", 3),
        ("discussion", _DISCUSSION),
        ("discussion_url", _DISCUSSION["html_url"]),
        ("title", "Why?"),
        ("body", "Tell"),
        ("category", {"name": "Q&A"}),
        ("category_name", "Q&A"),
        ("state", "open"),
    )

    @pins
    class Input(_In):
        """Input pins."""

        events: dict[str, Any] = _events(
            *("created", "edited", "deleted", "answered", "unanswered", "labeled", "unlabeled"),
            *("locked", "unlocked", "category_changed", "transferred", "pinned", "unpinned"),
        )

    @pins
    class Output(_Out):
        """Output pins."""

        number: int = pin(description="The discussion's number.")
        discussion: dict[str, Any] = pin(description="The discussion.")
        discussion_url: str = pin(description="Its address.")
        title: str = pin(description="Its title.")
        body: str = pin(description="What it says.")
        category: dict[str, Any] = pin(description="Its category.")
        category_name: str = pin(description="The category's name.")
        state: str = pin(description="open or closed.")


class GithubReleaseTriggerBlock(GithubTriggerBase):
    """Starts the agent when something happens to a release."""

    id = "2052dd1b-74e1-46ac-9c87-c7a0e057b60b"
    webhook = _config("release")
    places = {  # noqa: RUF012 - a mapping that nobody changes
        "release": ("release",),
        "release_url": ("release", "html_url"),
        "tag_name": ("release", "tag_name"),
        "release_name": ("release", "name"),
        "body": ("release", "body"),
        "prerelease": ("release", "prerelease"),
        "draft": ("release", "draft"),
        "assets": ("release", "assets"),
    }
    examples = _examples(
        "published",
        {"release": _RELEASE},
        ("release", _RELEASE),
        ("release_url", _RELEASE["html_url"]),
        ("tag_name", "v1"),
        ("release_name", "One"),
        ("body", "All new"),
        ("prerelease", False),
        ("draft", False),
        ("assets", []),
    )

    @pins
    class Input(_In):
        """Input pins."""

        events: dict[str, Any] = _events(
            *("published", "unpublished", "created", "edited", "deleted", "prereleased"),
            "released",
        )

    @pins
    class Output(_Out):
        """Output pins."""

        release: dict[str, Any] = pin(description="The release.")
        release_url: str = pin(description="Its address.")
        tag_name: str = pin(description="Its tag.")
        release_name: str = pin(description="Its name.")
        body: str = pin(description="What it says.")
        prerelease: bool = pin(description="Whether it is not for everybody yet.")
        draft: bool = pin(description="Whether it is a draft.")
        assets: list[Any] = pin(description="Its files.")


class GithubStarTriggerBlock(GithubTriggerBase):
    """Starts the agent when somebody gives the repository a star, or takes it back."""

    id = "551e0a35-100b-49b7-89b8-3031322239b6"
    webhook = _config("star")
    places = {  # noqa: RUF012 - a mapping that nobody changes
        "starred_at": ("starred_at",),
        "stargazers_count": ("repository", "stargazers_count"),
        "repository_name": ("repository", "full_name"),
        "repository_url": ("repository", "html_url"),
    }
    examples = _examples(
        "created",
        {
            "starred_at": "2026-01-31T10:00:00Z",
            "repository": {
                "stargazers_count": 9,
                "full_name": _REPO,
                "html_url": f"https://github.com/{_REPO}",
            },
        },
        ("starred_at", "2026-01-31T10:00:00Z"),
        ("stargazers_count", 9),
        ("repository_name", _REPO),
        ("repository_url", f"https://github.com/{_REPO}"),
    )

    @pins
    class Input(_In):
        """Input pins."""

        events: dict[str, Any] = _events("created", "deleted")

    @pins
    class Output(_Out):
        """Output pins."""

        starred_at: str = pin(description="When; nothing if it was taken back.")
        stargazers_count: int = pin(description="How many stars there are.")
        repository_name: str = pin(description="The repository: owner/name.")
        repository_url: str = pin(description="Its address.")
