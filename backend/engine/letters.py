"""The words of letters: templates, filled with what notices say once it is fit to stand in one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from backend.core import json
from backend.core.clean_text import cleaned, lines, one_line
from backend.core.errors import TooLarge
from backend.core.records import NoticeRecord
from backend.engine.letter_styles import DARK, STYLES
from backend.sdk.templates import fill

#: Notices that a letter shows; it counts the others.
LISTED: Final = 50
#: Characters of texts of a letter, shared by what it shows: mail programs cut long ones off.
_TEXT_CHARS: Final = 30_000
_TEXT_MOST: Final = 2_000
_SUBJECT_CHARS: Final = 150
_OUTPUTS: Final = 10
_LINK_CHARS: Final = 2_000
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+")
_BLANK_LINES: Final = re.compile(r"\n[ \t]*(\n[ \t]*)+\n")
_SUBJECT: Final = "Subject:"

#: The template of each kind: its name with .html and .txt; the first line of the latter is the
#: subject.
TEMPLATES: Final[Mapping[str, str]] = {
    "AGENT_RUN": "agent_run",
    "ZERO_BALANCE": "zero_balance",
    "LOW_BALANCE": "low_balance",
    "BLOCK_EXECUTION_FAILED": "block_failed",
    "CONTINUOUS_AGENT_ERROR": "agent_error",
    "DAILY_SUMMARY": "summary",
    "WEEKLY_SUMMARY": "summary",
    "MONTHLY_SUMMARY": "summary",
    "REFUND_REQUEST": "refund_request",
    "REFUND_PROCESSED": "refund_processed",
    "AGENT_APPROVED": "agent_approved",
    "AGENT_REJECTED": "agent_rejected",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a letter says."""

    subject: str
    text: str
    html: str


class LetterWriter:
    """Writes letters with *templates*: their texts by file name."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._templates = templates

    def write(
        self, notices: Sequence[NoticeRecord], count: int, *, unsubscribe_url: str = ""
    ) -> Words:
        """
        Return the words of a letter about *count* notices of one kind; *notices* are the first.

        Its last line says where such letters are ended, if *unsubscribe_url* says so.

        Raises:
            TemplateFailed: If a template is malformed, or fails with these values.
            TooLarge: If not even one notice fits.
        """
        shown = min(len(notices), LISTED)
        while True:
            try:
                return self._write(notices[:shown], count, unsubscribe_url)
            except TooLarge:
                if shown <= 1:
                    raise
                shown //= 2

    def _write(self, shown: Sequence[NoticeRecord], count: int, unsubscribe_url: str) -> Words:
        name = TEMPLATES[shown[0].type]
        most = max(100, min(_TEXT_MOST, _TEXT_CHARS // len(shown)))
        told = [_view(notice.data, most) for notice in shown]
        values = {"notices": told, "data": told[0], "last": told[-1], "count": count}
        frame = {"more": count - len(shown), "unsubscribe_url": unsubscribe_url}
        head, _, text = fill(self._templates[f"{name}.txt"], values).partition("\n")
        subject = one_line(head.removeprefix(_SUBJECT), most=_SUBJECT_CHARS)
        html = fill(self._templates[f"{name}.html"], {**values, "css": STYLES}, escape_html=True)
        whole = {**frame, "subject": subject}
        # What comes out of the template has been made safe in it.
        body = Markup(html)  # noqa: S704
        dark = Markup(DARK)  # noqa: S704 - ours
        return Words(
            subject=subject,
            text=_tidy(fill(self._templates["base.txt"], {**whole, "body": text.strip()})),
            html=fill(
                self._templates["base.html"],
                {**whole, "body": body, "css": STYLES, "dark": dark},
                escape_html=True,
            ),
        )


def _tidy(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


def _view(data: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return what a template sees of a notice: clean, bounded, and with some things in words."""
    view: dict[str, Any] = cleaned(
        {name: value for name, value in data.items() if name not in ("outputs", "cost_breakdown")},
        most=most,
    )
    for name, value in data.items():
        if name.endswith(("_link", "_url")) or name == "link":
            view[name] = value if _is_link(value) else ""
        elif name.endswith("execution_time") and isinstance(value, int | float):
            view[f"{name}_words"] = _duration(value)
        elif name in ("amount", "balance") and isinstance(value, int | float):
            view[f"{name}_words"] = f"${value / 100:.2f}"
    view["steps_words"] = _many(data.get("node_count"), "step", "steps")
    view["failed_words"] = _many(data.get("node_error_count"), "step failed", "steps failed")
    view["credits_words"] = _many(data.get("credits_used"), "credit", "credits")
    view["left_words"] = _many(data.get("current_balance"), "credit is left", "credits are left")
    status = str(view.get("status", ""))
    view["status_words"] = _status(status)
    view["is_bad"] = status != "COMPLETED"
    view["outputs_shown"] = list(_outputs(data.get("outputs"), most))
    costs = data.get("cost_breakdown")
    if isinstance(costs, Mapping):
        view["costs"] = [
            {"agent": one_line(str(agent), most=100), "credits": taken}
            for agent, taken in list(costs.items())[:20]
        ]
    return view


def _many(count: Any, one: str, more: str) -> str:
    number = count if isinstance(count, int | float) else 0
    return f"{number} {one if number == 1 else more}"


def _is_link(value: Any) -> bool:
    is_short = isinstance(value, str) and len(value) <= _LINK_CHARS
    return is_short and bool(_LINK.fullmatch(value))


def _outputs(outputs: Any, most: int) -> Any:
    for output in (outputs or ())[:_OUTPUTS]:
        for name, values in list(output.items())[:_OUTPUTS]:
            text = ", ".join(_shown(value) for value in values)
            yield {"name": one_line(str(name), most=100), "text": lines(text, most=most)}


def _status(status: str) -> str:
    words = {"COMPLETED": "completed", "FAILED": "failed", "TERMINATED": "stopped"}
    return words.get(status, status.lower())


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.text(value)
