"""GitHub: checks of commits and their outcomes, as those who run them say, and as others see them."""

from typing import Any, Final

from backend.blocks.github.service import (
    MINE,
    REPOSITORY,
    GithubBase,
    InRepository,
    account_pin,
    in_repository,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes, Sets
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import record

_IN: Final = {"repo_url": REPOSITORY, "credentials": MINE}
_STATUS: Final = {
    "enum": ["queued", "in_progress", "completed", "waiting", "requested", "pending"],
    "type": "string",
}
_CONCLUSION: Final = {
    "enum": [
        "success",
        "failure",
        "neutral",
        "cancelled",
        "timed_out",
        "action_required",
        "skipped",
    ],
    "type": "string",
}
_PERHAPS: Final = {"anyOf": [{**_CONCLUSION, "title": "ChecksConclusion"}, {"type": "null"}]}
_STATE: Final = {"enum": ["error", "failure", "pending", "success"], "type": "string"}
_MAKE: Final = f"{REPOSITORY}/runs/5"


@pins
class OfChecks(InRepository):
    """What speaks of the checks of a commit."""

    credentials: dict[str, Any] = account_pin("repo:status")


def _output(inputs: Any) -> dict[str, Json]:
    """Return what a check has to say; GitHub takes a summary only with a title."""
    if not (inputs.output_title or inputs.output_summary or inputs.output_text):
        return {}
    output: dict[str, Json] = {
        "title": inputs.output_title or "Result",
        "summary": inputs.output_summary or "",
    }
    if inputs.output_text:
        output["text"] = inputs.output_text
    return {"output": output}


def _run(calls: ServiceCalls, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": calls.need(found, int, "id"),
        "html_url": calls.need(found, str, "html_url"),
        "status": calls.need(found, str, "status"),
    }


class GithubCreateCheckRunBlock(Makes, GithubBase):
    """Reports a check of a commit to GitHub; only apps of GitHub may."""

    id = "2f45e89a-3b7d-4f22-b89e-6c4f5c7e1234"
    examples = (
        Example(
            inputs={**_IN, "name": "purrs", "head_sha": "a1"},
            outputs=[("check_run", {"id": 5, "html_url": _MAKE, "status": "queued"})],
        ),
        Example(
            inputs={**_IN, "name": "purrs", "head_sha": "a1", "conclusion": "success"},
            error="only what is completed has a conclusion",
        ),
    )

    @pins
    class Input(OfChecks):
        """Input pins."""

        name: str = pin(description="What it is called.")
        head_sha: str = pin(description="The commit.")
        status: str = pin(
            default="queued", title="ChecksStatus", schema=_STATUS, description="How it stands."
        )
        conclusion: str | None = pin(
            default=None,
            title="",
            schema=_PERHAPS,
            description="What it came to, if it is completed.",
        )
        details_url: str = pin(default="", description="Where there is more.")
        output_title: str = pin(default="", description="What it says, in one line")
        output_summary: str = pin(default="", description="in short,")
        output_text: str = pin(default="", description="and at length, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        check_run: dict[str, Any] = pin(
            title="CheckRunResult",
            schema=record({"id": int, "html_url": str, "status": str}),
            description="The check as it stands.",
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Report it."""
        if inputs.conclusion and inputs.status != "completed":
            raise ValueError("only what is completed has a conclusion")
        value: dict[str, Json] = {
            "name": inputs.name,
            "head_sha": inputs.head_sha,
            "status": inputs.status,
            **({"conclusion": inputs.conclusion} if inputs.conclusion else {}),
            **({"details_url": inputs.details_url} if inputs.details_url else {}),
            **_output(inputs),
        }
        path = in_repository(inputs.repo_url, "check-runs")
        return {"check_run": _run(calls, await calls.object("POST", path, value=value))}


class GithubUpdateCheckRunBlock(Sets, GithubBase):
    """Tells GitHub how a check of a commit stands; only apps of GitHub may."""

    id = "8a23c567-9d01-4e56-b789-0c12d3e45678"
    examples = (
        Example(
            inputs={**_IN, "check_run_id": 5, "status": "completed", "conclusion": "success"},
            outputs=[
                (
                    "check_run",
                    {"id": 5, "html_url": _MAKE, "status": "completed", "conclusion": "success"},
                )
            ],
        ),
    )

    @pins
    class Input(OfChecks):
        """Input pins."""

        check_run_id: int = pin(description="The check.")
        status: str = pin(title="ChecksStatus", schema=_STATUS, description="How it stands.")
        conclusion: str = pin(
            title="ChecksConclusion", schema=_CONCLUSION, description="What it came to."
        )
        output_title: str | None = pin(default=None, description="What it says, in one line")
        output_summary: str | None = pin(default=None, description="in short,")
        output_text: str | None = pin(default=None, description="and at length, in Markdown.")

    @pins
    class Output:
        """Output pins."""

        check_run: dict[str, Any] = pin(
            title="CheckRunResult",
            schema=record({"id": int, "html_url": str, "status": str, "conclusion": str | None}),
            description="The check as it stands.",
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Tell it."""
        value: dict[str, Json] = {
            "status": inputs.status,
            "conclusion": inputs.conclusion,
            **_output(inputs),
        }
        path = in_repository(inputs.repo_url, "check-runs", inputs.check_run_id)
        found = await calls.object("PATCH", path, value=value)
        return {"check_run": {**_run(calls, found), "conclusion": found.get("conclusion")}}


class GithubCreateStatusBlock(Makes, GithubBase):
    """Says at GitHub how a commit stands."""

    id = "3d67f123-a4b5-4c89-9d01-2e34f5c67890"
    examples = (
        Example(
            inputs={**_IN, "sha": "a1", "state": "success", "check_name": "purrs"},
            outputs=[
                (
                    "status",
                    {
                        "id": 6,
                        "url": "https://api.github.com/repos/ann/cats/statuses/a1",
                        "state": "success",
                        "context": "purrs",
                        "description": None,
                        "target_url": None,
                        "created_at": "2026-01-31T10:00:00Z",
                        "updated_at": "2026-01-31T10:00:00Z",
                    },
                )
            ],
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        credentials: dict[str, Any] = account_pin("repo:status", key_only=True)
        sha: str = pin(description="The commit.")
        state: str = pin(title="StatusState", schema=_STATE, description="How it stands.")
        target_url: str | None = pin(default=None, description="Where there is more.")
        description: str | None = pin(default=None, description="What there is to say, in short.")
        check_name: str | None = pin(
            default="AutoGPT Platform Checks", advanced=False, description="Who says it."
        )

    @pins
    class Output:
        """Output pins."""

        status: dict[str, Any] = pin(
            title="StatusResult",
            schema=record(
                {
                    "id": int,
                    "url": str,
                    "state": str,
                    "context": str,
                    "description": str | None,
                    "target_url": str | None,
                    "created_at": str,
                    "updated_at": str,
                }
            ),
            description="What is said now.",
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Say it."""
        said = {
            "target_url": inputs.target_url,
            "description": inputs.description,
            "context": inputs.check_name,
        }
        value: Json = {"state": inputs.state, **{name: text for name, text in said.items() if text}}
        path = in_repository(inputs.repo_url, "statuses", inputs.sha)
        made = await calls.object("POST", path, value=value)
        texts = ("url", "state", "context", "created_at", "updated_at")
        return {
            "status": {
                "id": calls.need(made, int, "id"),
                **{name: calls.need(made, str, name) for name in texts},
                "description": made.get("description"),
                "target_url": made.get("target_url"),
            }
        }
