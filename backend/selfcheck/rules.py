"""What must hold of a history, a sentence for each rule, and how a breach of one is told."""

from dataclasses import dataclass
from enum import Enum

from backend.core.status import FINAL as FINAL_STATUSES
from backend.core.status import TRANSITIONS, Status

#: Statuses in which nothing more happens, as texts.
FINAL = frozenset(status.value for status in FINAL_STATUSES)
#: A call that was on its way when its sender died is noted a little later.
SLACK_US = 1_000_000
#: Whoever wakes up has so long to find out what happened meanwhile.
WAKE_US = 5_000_000
_SHOWN = 200


class Rule(Enum):
    """A rule; its value is the sentence that people read."""

    LOST = "Every run that was accepted is there and has ended."
    STATUS = "Statuses follow each other as the table says, and an end stays."
    OUTCOME = "A run ends as it has to, with its outputs."
    REDONE = "A node execution that had finished is not done again."
    REPEATED = "A call outside is repeated only if it was under way at a kill, and once for each."
    KEYS = "A call that is repeated has the key that it had, and no other call has that one."
    ONCE = "What must happen at most once does."
    CALLS = "A run makes the calls outside that it has to, in their order, while it runs."
    EVENTS = "Events are numbered, tell what is committed, and tell all of it."
    DOCTOR = "`agpt doctor` finds nothing."
    DEFECTS = "No service notes an error of its own in its log."
    LEFT = "A server that has stopped leaves no process, port, socket or session behind."
    SERVER = "A server ends when it is told to or killed, and starts again."


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A rule that was broken; *run* is the id of the run that shows it, or nothing."""

    rule: Rule
    detail: str
    run: str = ""


def may_become(now: str, later: str) -> bool:
    """
    Tell whether a row with status *now* may be seen with *later*, whatever was between.

    Nobody resumes runs during a check, so an end is an end.
    """
    if now == later:
        return True
    if now not in Status.__members__ or now in FINAL:
        return False
    return later in _REACHED[now]


def short(value: object) -> str:
    """Return *value* as a person wants to read it: a line or two."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _reached_from(status: Status) -> frozenset[str]:
    found = {status}
    fresh = [status]
    while fresh:
        following = TRANSITIONS[fresh.pop()] - found
        found |= following
        fresh += [one for one in following if one not in FINAL_STATUSES]
    return frozenset(one.value for one in found)


_REACHED = {status.value: _reached_from(status) for status in Status}
