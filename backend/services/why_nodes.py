"""What one node of a run waits for, in words. Part of why.py."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias

from backend.core.plan import GraphPlan, NodePlan
from backend.core.status import Status
from backend.ports.why import NodeWork, OpenNode, WorkState

_SECOND_US: Final = 1_000_000
#: A node that is queued, or noted as running, for so long while nothing keeps it is lost.
_LATE_US: Final = 60 * _SECOND_US
#: Of what a node failed with, so much is said.
_ERROR_LENGTH: Final = 300


class Cause(StrEnum):
    """What a run, or a node of it, waits for; for programs."""

    ENDED = "ended"  #: for nothing
    SERVER_DOWN = "server_down"
    OPERATOR = "operator"
    STOPPING = "stopping"
    PARENT = "parent"
    GRAPH_LIMIT = "graph_limit"
    USER_LIMIT = "user_limit"
    SLOT = "slot"
    SOON = "soon"  #: for nothing: it is on its way
    STALLS = "stalls"  #: how often it was begun again for nothing
    LOST = "lost"  #: for nothing that will come
    WORK = "work"
    LATE = "late"  #: its time is over
    RETRY = "retry"
    DISK = "disk"
    CONCURRENCY = "concurrency"
    PARALLEL_NODES = "parallel_nodes"
    PERSON = "person"
    BUDGET = "budget"
    NESTED_RUN = "nested_run"
    INPUT = "input"
    NEVER = "never"  #: for an input that cannot come


#: The cause, the sentence, and whether it is wrong.
Said: TypeAlias = tuple[Cause, str, bool]


def duration(us: int) -> str:
    """Return a time as people say it."""
    seconds = max(0, us) // _SECOND_US
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def said_time(at_us: int | None) -> str:
    """Return a moment as people read it."""
    if at_us is None:
        return "at a time that is not known"
    return f"at {datetime.fromtimestamp(at_us // _SECOND_US, UTC):%Y-%m-%d %H:%M:%S} UTC"


class NodeSays:
    """Finds the words for the open nodes of one run."""

    def __init__(
        self,
        *,
        plan: GraphPlan | None,
        nodes: Sequence[OpenNode],
        ran: frozenset[str],
        works: Mapping[int, NodeWork] | None,
        parallel: int | None,
        now_us: int,
    ) -> None:
        """
        Take what is known.

        Args:
            plan: None where the graph cannot be read.
            ran: Ids of the nodes that were queued at least once.
            works: What the executor says of those that run, by ordinal.
            parallel: Nodes of one run that may work at once, if known.
        """
        self._plans: Mapping[str, NodePlan] = {} if plan is None else plan.nodes_by_id
        self._nodes = nodes
        self._ran = ran
        self._works = works
        self._parallel = parallel
        self._now_us = now_us

    def name(self, node_id: str) -> str:
        """Return what people call a node."""
        plan = self._plans.get(node_id)
        return f"#{node_id}" if plan is None else f"'{plan.title}'"

    def running(self, node: OpenNode, *, has_inner: bool) -> Said:
        """Say what a node that is noted as running does."""
        name, since = self.name(node.node_id), self._since(node.start_us or node.add_us)
        work = None if self._works is None else self._works.get(node.ordinal)
        if self._works is not None and work is None:
            late = self._now_us - (node.start_us or node.add_us) > _LATE_US
            text = f"Node {name} has been noted as running {since}, and nothing works on it."
            return Cause.LOST, text, late
        if work is not None and work.state is WorkState.WAITS_TO_RETRY:
            return Cause.RETRY, self._retry(name, node, work), False
        if work is not None and work.state is WorkState.WAITS_FOR_DISK:
            text = f"Node {name} waits until what led to it is on disk."
            return Cause.DISK, text, False
        if has_inner:
            return Cause.NESTED_RUN, f"Node {name} waits for its nested run, {since}.", False
        return self._at_work(name, since, node, work)

    def _retry(self, name: str, node: OpenNode, work: NodeWork) -> str:
        # What it is at was just read, and what the row says may be a moment older.
        error = (node.error or "not known yet")[:_ERROR_LENGTH]
        wait = f"waits {work.for_s:.0f} s more before try {node.tries + 1} of {work.tries}"
        return f"Node {name} {wait}; the last failed: {error}"

    def _at_work(self, name: str, since: str, node: OpenNode, work: NodeWork | None) -> Said:
        text = f"Node {name} has been at work {since}"
        if node.tries:
            error = (node.error or "")[:_ERROR_LENGTH]
            text += f", after {node.tries} failed tries, the last with: {error}"
        if work is None:
            return Cause.WORK, f"{text}.", False
        if not work.limit_s:
            return Cause.WORK, f"{text} (no limit).", False
        limit = f"limit {duration(int(work.limit_s * _SECOND_US))}: {work.whose}"
        if work.for_s > work.limit_s + _LATE_US / _SECOND_US:
            return Cause.LATE, f"{text}, past its time ({limit}).", True
        return Cause.WORK, f"{text} ({limit}).", False

    def queued(self, node: OpenNode) -> Said:
        """Say what a queued node waits for."""
        name, plan = self.name(node.node_id), self._plans.get(node.node_id)
        running = [one for one in self._nodes if one.status is Status.RUNNING]
        limit = None if plan is None else plan.policy.concurrency
        beside = sum(one.node_id == node.node_id for one in running)
        if limit is not None and beside >= limit:
            text = (
                f"Node {name} waits for its turn: {beside} of it are at work, and its policy lets"
                f" {limit} at once (concurrency)."
            )
            return Cause.CONCURRENCY, text, False
        if self._parallel is not None and len(running) >= self._parallel:
            text = (
                f"Node {name} waits for others of this run: {len(running)} are at work, and no more"
                " may at once (setting MAX_PARALLEL_NODES_PER_RUN)."
            )
            return Cause.PARALLEL_NODES, text, False
        since_us = node.queue_us or node.add_us
        late = self._now_us - since_us > _LATE_US
        text = f"Node {name} has been queued {self._since(since_us)}, and nothing keeps it."
        return (Cause.LOST if late else Cause.SOON), text, late

    def asked(self, node: OpenNode, run_id: str) -> Said:
        """Say for whom a node waits."""
        name = self.name(node.node_id)
        if node.budget is not None:
            return Cause.BUDGET, f"Node {name} waits for the {node.budget}.", False
        if node.asked_us is None and any(one.status is Status.RUNNING for one in self._nodes):
            # It waited for a budget that has room again.
            text = f"Node {name} begins again when the others at work have ended."
            return Cause.SOON, text, False
        if node.asked_us is None:
            text = f"Node {name} waits for a person, and there is no question to answer."
            return Cause.LOST, text, True
        text = (
            f"Node {name} waits for a person {self._since(node.asked_us)}:"
            f" GET /api/review/execution/{run_id} shows the question,"
            " POST /api/review/action answers it."
        )
        return Cause.PERSON, text, False

    def incomplete(self, node: OpenNode, *, is_over: bool) -> Said:
        """Say which inputs a node lacks, and whether they can still come."""
        name, plan = self.name(node.node_id), self._plans.get(node.node_id)
        has = f"has had {self._pins(node.pins)} {self._since(node.add_us)}"
        if plan is None:
            return Cause.INPUT, f"Node {name} {has}, and waits for more.", False
        missing = [pin for pin in plan.linked if pin not in node.pins]
        if not missing:
            text = f"Node {name} {has}; a required input has no value."
            return (Cause.NEVER if is_over else Cause.INPUT), text, False
        waits = f"Node {name} {has} and waits for {self._list('pin', missing)}"
        dry = [pin for pin in missing if is_over or not self._may_come(node.node_id, pin)]
        if not dry:
            sources = sorted({self.name(one) for one in self._sources(node.node_id, missing[0])})
            return Cause.INPUT, f"{waits}, from {', '.join(sources)}.", False
        return (
            Cause.NEVER,
            f"{waits}{self._why_dry(node.node_id, dry[0])}: it will never run.",
            False,
        )

    def _why_dry(self, node_id: str, pin: str) -> str:
        sources = sorted(self._sources(node_id, pin))
        if len(sources) != 1:
            return f", and none of the sources of {pin} gives it any more"
        how = "has ended" if sources[0] in self._ran else "has never run"
        return f", whose only source {self.name(sources[0])} {how}"

    def _sources(self, node_id: str, pin: str) -> set[str]:
        return {
            source.id
            for source in self._plans.values()
            for link, sink in source.out_links
            if sink.id == node_id and link.sink_name == pin
        }

    def _may_come(self, node_id: str, pin: str) -> bool:
        """Whether one of a pin's sources is at work, or comes after a node that is."""
        open_states = (Status.QUEUED, Status.RUNNING, Status.REVIEW)
        ahead = [one.node_id for one in self._nodes if one.status in open_states]
        alive = set(ahead)
        while ahead:
            plan = self._plans.get(ahead.pop())
            for _, sink in plan.out_links if plan is not None else ():
                if sink.id not in alive:
                    alive.add(sink.id)
                    ahead.append(sink.id)
        return bool(alive & self._sources(node_id, pin))

    def _pins(self, pins: Sequence[str]) -> str:
        return f"values on {self._list('pin', pins)}" if pins else "no values"

    @staticmethod
    def _list(noun: str, names: Sequence[str]) -> str:
        return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names)}"

    def _since(self, at_us: int) -> str:
        return f"since {said_time(at_us)[3:]}"
