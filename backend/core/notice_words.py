"""What a notice says, in a title and a short text: for the app and for chats (pure).

Names of agents and texts of errors come from users and from services of others: they are cut,
and lose what would move a cursor or turn a line around.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_NAME_CHARS: Final = 80
_TITLE_CHARS: Final = 160
_TEXT_CHARS: Final = 600
_SPACES: Final = re.compile(r"\s+")
_STATUS: Final = {"COMPLETED": "completed", "FAILED": "failed", "TERMINATED": "stopped"}
_PERIODS: Final = {
    "DAILY_SUMMARY": "Your day",
    "WEEKLY_SUMMARY": "Your week",
    "MONTHLY_SUMMARY": "Your month",
}

Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A notice in words, each on one line, and what it is about where that is known."""

    title: str
    text: str
    graph_id: str | None = None
    run_id: str | None = None
    is_urgent: bool = False


def plain(value: object, most: int) -> str:
    """Return *value* on one line of at most *most* characters, without control characters."""
    # Far more than is kept, and far less than somebody could send.
    text = str(value)[: most * 8]
    kept = text if text.isprintable() else _without_signs(text)
    line = _SPACES.sub(" ", kept).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def _without_signs(text: str) -> str:
    return "".join(
        # Cf turns lines around, Cs breaks encoders, Co and Cn are nobody's.
        " " if (kind := unicodedata.category(char)) in ("Cc", "Zl", "Zp") else
        "" if kind in ("Cf", "Cs", "Co", "Cn") else char
        for char in text
    )  # fmt: skip


def words(kind: str, data: Data, *, told: int = 1) -> Words:
    """
    Return the words of a notice of *kind*; also of one that this version does not know.

    Args:
        told: For how many of its cause it stands, the last of which it is.
    """
    title, lines, is_urgent = _WORDS.get(kind, _other)(kind, data)
    times = f" ({told} times)" if told > 1 else ""
    if told > 1 and lines:
        lines[0] = f"the last time: {lines[0]}" if lines[0] else ""
    return Words(
        title=plain(title, _TITLE_CHARS - len(times)) + times,
        text=plain(" · ".join(line for line in lines if line), _TEXT_CHARS),
        graph_id=_id(data.get("graph_id")),
        run_id=_id(data.get("graph_exec_id")),
        is_urgent=is_urgent,
    )


_Said = tuple[str, list[str], bool]


def _run(_kind: str, data: Data) -> _Said:
    name, status = _name(data), str(data.get("status") or "")
    if data.get("waits_for"):
        return f"{name} waits for a budget", [plain(data["waits_for"], _TEXT_CHARS)], True
    lines = []
    if data.get("error"):
        lines.append(plain(data["error"], _TEXT_CHARS // 2))
    if data.get("node_count") is not None:
        lines.append(
            f"{_figure(data['node_count'])} steps in {_figure(data.get('execution_time'))} s"
        )
    failed = data.get("node_error_count")
    if failed:
        lines.append(f"{_figure(failed)} of them failed")
    if data.get("credits_used"):
        lines.append(f"{_figure(data['credits_used'])} credits")
    state = _STATUS.get(status, plain(status.lower(), 40))
    if failed and status == "COMPLETED":
        state = "completed with errors"
    return f"{name}: {state}", lines, bool(failed) or status == "FAILED"


def _low(_kind: str, data: Data) -> _Said:
    return "Your credits run low", [f"{_figure(data.get('current_balance'))} are left", _link(data, "billing_page_link")], True  # fmt: skip


def _zero(_kind: str, data: Data) -> _Said:
    lines = [
        f"{_figure(data.get('current_balance'))} credits are left",
        f"a step needs {_figure(data.get('shortfall'))} more",
        _link(data, "billing_page_link"),
    ]
    return f"{_name(data)}: not enough credits", lines, True


def _trouble(_kind: str, data: Data) -> _Said:
    rule = plain(data.get("rule") or "", 200)
    lines = [
        plain(data.get("error") or data.get("reason") or "", _TEXT_CHARS // 2),
        plain(data.get("remedy") or "", 200),
        _link(data, "link"),
    ]
    if data.get("schedule_id"):
        schedule = plain(data.get("schedule_name") or "", _NAME_CHARS)
        what = plain(data.get("paused") or "schedule", 20)
        return f"{_name(data)}: the {what} {schedule} is paused", lines, True
    if data.get("block_name"):
        block = plain(data["block_name"], _NAME_CHARS)
        return f"{_name(data)}: {block} failed", lines, True
    return f"{_name(data)}: {rule}" if rule else f"{_name(data)} keeps failing", lines, True


def _summary(kind: str, data: Data) -> _Said:
    lines = [
        f"{_figure(data.get('total_executions'))} runs",
        f"{_figure(data.get('successful_runs'))} went well, {_figure(data.get('failed_runs'))} failed",
        f"{_figure(data.get('total_credits_used'))} credits",
    ]
    if data.get("most_used_agent"):
        lines.append(f"most used: {plain(data['most_used_agent'], _NAME_CHARS)}")
    return f"{_PERIODS[kind]} with your agents", lines, False


def _reviewed(kind: str, data: Data) -> _Said:
    is_approved = kind == "AGENT_APPROVED"
    lines = [
        plain(data.get("comments") or "", _TEXT_CHARS // 2),
        _link(data, "store_url" if is_approved else "resubmit_url"),
    ]
    return f"{_name(data)} was {'approved' if is_approved else 'rejected'}", lines, False


def _refund(kind: str, data: Data) -> _Said:
    amount = data.get("amount")
    money = f"{amount / 100:.2f} USD" if isinstance(amount, int) else "an amount"
    is_asked = kind == "REFUND_REQUEST"
    title = f"A refund of {money} was {'asked for' if is_asked else 'processed'}"
    return title, [plain(data.get("user_name") or "", _NAME_CHARS), plain(data.get("reason") or "", 200)], False  # fmt: skip


def _channel_off(_kind: str, data: Data) -> _Said:
    name = plain(data.get("name") or "", _NAME_CHARS)
    lines = [
        plain(data.get("error") or "", _TEXT_CHARS // 2),
        "mend it and turn it on again; until then notices do not go there",
    ]
    return f"The channel {name} was turned off", lines, True


def _address_refused(_kind: str, data: Data) -> _Said:
    address = plain(data.get("address") or "", _NAME_CHARS)
    lines = [
        plain(data.get("error") or "", _TEXT_CHARS // 2),
        "give your account another address; until then no letters are sent",
    ]
    return f"Letters do not reach {address}", lines, True


def _test(_kind: str, data: Data) -> _Said:
    name = plain(data.get("agent_name") or "", _NAME_CHARS)
    return "A test of this channel", [f"notices reach {name}"], False


def _other(kind: str, data: Data) -> _Said:
    title = plain(kind.replace("_", " ").capitalize(), 60)
    name = data.get("agent_name")
    return (f"{title}: {plain(name, _NAME_CHARS)}" if name else title), [], False


_WORDS: Final[Mapping[str, Callable[[str, Data], _Said]]] = {
    "AGENT_RUN": _run,
    "LOW_BALANCE": _low,
    "ZERO_BALANCE": _zero,
    "BLOCK_EXECUTION_FAILED": _trouble,
    "CONTINUOUS_AGENT_ERROR": _trouble,
    **dict.fromkeys(_PERIODS, _summary),
    "AGENT_APPROVED": _reviewed,
    "AGENT_REJECTED": _reviewed,
    "REFUND_REQUEST": _refund,
    "REFUND_PROCESSED": _refund,
    "CHANNEL_DISABLED": _channel_off,
    "ADDRESS_REFUSED": _address_refused,
    "TEST": _test,
}


def _name(data: Data) -> str:
    return plain(data.get("agent_name") or "An agent", _NAME_CHARS)


def _figure(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return plain(value, 30) if is_number else "?"


def _link(data: Data, name: str) -> str:
    return plain(data.get(name) or "", 300)


def _id(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None
