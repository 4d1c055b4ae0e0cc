"""Whether the events of a run were told as its rows changed. Pure, like all of the checker."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from backend.selfcheck.history import History, NodeRow, RunRow, Told
from backend.selfcheck.rules import Rule, Violation, may_become


def check_events(history: History) -> Iterator[Violation]:
    """Yield all that is wrong with the numbers of rows, and with what was told of them."""
    nodes: defaultdict[str, list[NodeRow]] = defaultdict(list)
    for node in history.nodes.values():
        nodes[node.run_id].append(node)
    told: defaultdict[str, list[Told]] = defaultdict(list)
    for event in history.told:
        told[event.run_id].append(event)
    for run in history.runs.values():
        details = [*_numbers(run, nodes[run.id]), *_order(told[run.id])]
        if run.id in history.followed:
            details += _completeness(run, nodes[run.id], told[run.id])
        for detail in details:
            yield Violation(rule=Rule.EVENTS, run=run.id, detail=detail)


def _numbers(run: RunRow, nodes: Sequence[NodeRow]) -> Iterator[str]:
    """Each change of a row takes the next number, so no two rows have the same one."""
    seen: dict[int, int] = {}
    for node in nodes:
        other = seen.setdefault(node.revision, node.ordinal)
        if other != node.ordinal:
            yield f"node executions {other} and {node.ordinal} have the number {node.revision}"
        if node.revision > run.revision:
            yield f"node execution {node.ordinal} is at {node.revision}, the run at {run.revision}"


def _order(events: Sequence[Told]) -> Iterator[str]:
    last = 0
    statuses: dict[str, str] = {}
    for event in events:
        if event.sequence <= last:
            yield f"event {event.sequence} came after {last}"
        last = max(last, event.sequence)
        if not event.committed:
            yield f"event {event.sequence} ({event.status}) came before it was committed"
        before = statuses.get(event.row)
        if before is not None and not may_become(before, event.status):
            yield f"event {event.sequence} says {event.status} of a row that was {before}"
        statuses[event.row] = event.status


def _completeness(run: RunRow, nodes: Sequence[NodeRow], events: Sequence[Told]) -> Iterator[str]:
    """Of each row at least its last change is told: the ones before may be skipped."""
    last = {event.row: event for event in events}
    wanted = {node.id: (node.revision, node.status) for node in nodes}
    ends = last.get(run.id)
    if ends is None or ends.status != run.status:
        yield f"it is {run.status}, and was told to be {ends.status if ends else 'nothing'}"
    for row, (revision, status) in wanted.items():
        event = last.get(row)
        if event is None or event.sequence != revision or event.status != status:
            said = f"{event.status} at {event.sequence}" if event else "nothing"
            yield f"node execution {row} is {status} at {revision}, and was told to be {said}"
