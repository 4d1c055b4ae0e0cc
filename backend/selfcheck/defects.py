"""What services have noted as defects of their own: errors in their logs, and exceptions they died of.

A server heals much of what goes wrong in it. A check that only looked at what came out would call
that sound, though somebody waited a minute for it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from backend.core import json
from backend.selfcheck.rules import short

_ERRORS: Final = frozenset({"error", "critical"})
_TRACE: Final = "Traceback (most recent call last):"
_LEVEL: Final = '"level"'


def defects_in(logs: Path, said: Path) -> list[str]:
    """
    Return a sentence for each kind of error, with the facts of one of them.

    Args:
        logs: Folder of the log files of a server, older ones (``*.log.1``) included.
        said: What its processes have written to their standard output and error.
    """
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for path in sorted(logs.glob("*.log*")):
        for event, facts in _errors(path):
            kind = (path.name.partition(".")[0], event)
            counts[kind] += 1
            first.setdefault(kind, facts)
    found = [
        f"{service} notes {event} ({count} times): {first[service, event]}"
        for (service, event), count in sorted(counts.items())
    ]
    if said.exists() and (traces := _text(said).count(_TRACE)):
        found.append(f"{said.name} has {traces} exceptions that nobody caught")
    return found


def _errors(path: Path) -> Iterator[tuple[str, str]]:
    """Yield event and facts of each error; a line that a kill has cut short is none."""
    for line in _text(path).split("\n"):
        if _LEVEL not in line:
            continue
        try:
            noted: dict[str, Any] = json.loads(line)
        except json.NotJson:
            continue
        if noted.get("level") in _ERRORS:
            facts = {k: v for k, v in noted.items() if k not in {"level", "event", "exception"}}
            reason = str(noted.get("exception", "")).strip().split("\n")[-1]
            yield str(noted.get("event")), short(f"{reason} {json.text(facts)}".strip())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
