"""GitHub: what the checks of a commit came to."""

from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from time import monotonic
from typing import Any, Final

from backend.blocks.github.service import (
    GITHUB,
    MINE,
    REPOSITORY,
    Account,
    GithubBase,
    in_repository,
    listed,
)
from backend.sdk import BlockContext, Example, pin, pins
from backend.sdk.calling import Reads
from backend.sdk.patterns import MAX_SECONDS, find
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import many, record

_BAD: Final = frozenset({"failure", "timed_out", "action_required", "startup_failure", "cancelled"})
_AROUND: Final = 2
_MOST_LINES: Final = 1000
_PURRS: Final = {
    "id": 5,
    "name": "purrs",
    "status": "completed",
    "conclusion": "success",
    "started_at": None,
    "completed_at": None,
    "html_url": f"{REPOSITORY}/runs/5",
    "details_url": None,
    "output_title": None,
    "output_summary": None,
    "output_text": None,
    "annotations": [],
}
_NOTE: Final = {"path": "cat.py", "message": "Err: no meow"}
_MEOWS: Final = {
    **_PURRS,
    "id": 6,
    "name": "meows",
    "conclusion": "failure",
    "html_url": f"{REPOSITORY}/runs/6",
    "output_title": "Silence",
    "annotations": [_NOTE],
}
_LINE: Final = {
    "check_name": "meows",
    "line_number": 4,
    "line": "Err: no meow",
    "context": ["", "", "Err: no meow"],
}


_CHECK_RUN_SHAPE: Final = record(
    {
        "id": int,
        "name": str,
        "status": str,
        "conclusion": str | None,
        "started_at": str | None,
        "completed_at": str | None,
        "html_url": str,
        "details_url": str | None,
        "output_title": str | None,
        "output_summary": str | None,
        "output_text": str | None,
        "annotations": list[dict[str, Any]],
    },
    optional=[
        "id",
        "name",
        "status",
        "conclusion",
        "started_at",
        "completed_at",
        "html_url",
        "details_url",
        "output_title",
        "output_summary",
        "output_text",
        "annotations",
    ],
)
_MATCHED_LINE_SHAPE: Final = record(
    {"check_name": str, "line_number": int, "line": str, "context": list[str]}
)


class GithubGetCIResultsBlock(Reads, GithubBase):
    """Reads what the checks of a commit, a branch or a pull request at GitHub came to."""

    id = "8ad9e103-78f2-4fdb-ba12-3571f2c95e98"
    examples = (
        Example(
            inputs={"repo": "ann/cats", "target": 2, "search_pattern": "Err", "credentials": MINE},
            outputs=[
                ("check_runs", [_PURRS, _MEOWS]),
                ("check_run", _PURRS),
                ("check_run", _MEOWS),
                ("matched_lines", [_LINE]),
                ("matched_line", _LINE),
                ("overall_status", "completed"),
                ("overall_conclusion", "failure"),
                ("total_checks", 2),
                ("passed_checks", 1),
                ("failed_checks", 1),
            ],
        ),
        Example(
            inputs={
                "repo": "ann/cats",
                "target": "main",
                "check_name_filter": "hiss*",
                "credentials": MINE,
            },
            outputs=[
                ("check_runs", []),
                ("overall_status", "no_checks"),
                ("overall_conclusion", "no_checks"),
                ("total_checks", 0),
                ("passed_checks", 0),
                ("failed_checks", 0),
            ],
        ),
    )

    @pins
    class Input(Account):
        """Input pins."""

        repo: str = pin(description="The repository: owner/name.")
        target: str | int = pin(
            description="The number of a pull request, or a branch, tag or commit."
        )
        search_pattern: str | None = pin(
            default=None,
            description="A regular expression; what checks say is searched for it, line by line.",
        )
        check_name_filter: str | None = pin(
            default=None, description="Only checks whose names look so; * is anything."
        )

    @pins
    class Output:
        """Output pins."""

        check_run: dict[str, Any] = pin(schema=_CHECK_RUN_SHAPE, description="One of the checks.")
        check_runs: list[dict[str, Any]] = pin(
            schema=many(_CHECK_RUN_SHAPE, "CheckRunItem"), description="All of them."
        )
        matched_line: dict[str, Any] = pin(
            schema=_MATCHED_LINE_SHAPE, description="A line that was found."
        )
        matched_lines: list[dict[str, Any]] = pin(
            schema=many(_MATCHED_LINE_SHAPE, "MatchedLine"), description="All of them."
        )
        overall_status: str = pin(description="Whether all are completed.")
        overall_conclusion: str = pin(description="What they came to together.")
        total_checks: int = pin(description="How many there are.")
        passed_checks: int = pin(description="How many succeeded.")
        failed_checks: int = pin(description="How many did not.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the checks, the lines that were found, and the sum of it."""
        calls = GITHUB.calls(context, inputs.credentials)
        runs = await _check_runs(calls, inputs.repo, inputs.target)
        wanted = (inputs.check_name_filter or "*").lower()
        runs = [each for each in runs if fnmatchcase(each["name"].lower(), wanted)]
        yield "check_runs", runs
        for each in runs:
            yield "check_run", each
        if inputs.search_pattern:
            lines = await context.to_thread(_matches, inputs.search_pattern, runs)
            yield "matched_lines", lines
            for line in lines:
                yield "matched_line", line
        bad = sum(each["conclusion"] in _BAD for each in runs)
        done = all(each["status"] == "completed" for each in runs)
        status = "completed" if done else "in_progress"
        conclusion = "failure" if bad else "success" if done else "pending"
        yield "overall_status", status if runs else "no_checks"
        yield "overall_conclusion", conclusion if runs else "no_checks"
        yield "total_checks", len(runs)
        yield "passed_checks", sum(each["conclusion"] == "success" for each in runs)
        yield "failed_checks", bad


async def _check_runs(calls: ServiceCalls, repo: str, target: str | int) -> list[dict[str, Any]]:
    """Return the checks of *target*, with what they say at lines if they say something."""
    ref = str(target).strip()
    if ref.isdecimal():
        pull = await calls.object("GET", in_repository(repo, "pulls", ref))
        ref = calls.need(pull, str, "head", "sha")
    path = in_repository(repo, "commits", ref, "check-runs")
    found = []
    for each in await listed(calls, path, inside="check_runs"):
        output = each.get("output") or {}
        key = calls.need(each, int, "id")
        notes = []
        if output.get("annotations_count"):
            notes = await listed(calls, in_repository(repo, "check-runs", key, "annotations"))
        found.append(
            {
                "id": key,
                "name": calls.need(each, str, "name"),
                "status": calls.need(each, str, "status"),
                **{name: each.get(name) for name in ("conclusion", "started_at", "completed_at")},
                "html_url": str(each.get("html_url") or ""),
                "details_url": each.get("details_url"),
                **{f"output_{name}": output.get(name) for name in ("title", "summary", "text")},
                "annotations": notes,
            }
        )
    return found


def _matches(pattern: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of what checks say in which *pattern* is found, with two around each."""
    found: list[dict[str, Any]] = []
    left_s = MAX_SECONDS
    for each in runs:
        lines = _said(each)
        for number, line in enumerate(lines):
            began = monotonic()
            if find(pattern, line, limit_s=max(left_s, 0.001)):
                around = lines[max(0, number - _AROUND) : number + _AROUND + 1]
                found.append(
                    {
                        "check_name": each["name"],
                        "line_number": number + 1,
                        "line": line,
                        "context": around,
                    }
                )
            left_s -= monotonic() - began
            if len(found) >= _MOST_LINES:
                return found
    return found


def _said(run: dict[str, Any]) -> list[str]:
    texts = [run[f"output_{name}"] or "" for name in ("title", "summary", "text")]
    notes = [str(note.get("message") or "") for note in run["annotations"]]
    return "\n".join([*texts, *notes]).splitlines()
