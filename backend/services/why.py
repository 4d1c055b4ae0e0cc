"""Why a run does not move, in words: from its rows, and from what the executor knows of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backend.core.catalog import Catalog
from backend.core.errors import GraphInvalid
from backend.core.ids import ExecutionId, run_below
from backend.core.plan import GraphPlan
from backend.core.status import FINAL, Status
from backend.ports.why import EngineFacts, OpenNode, RunRow, RunRows
from backend.services.why_nodes import Cause, NodeSays, duration, said_time

#: Node executions of a run that are looked at.
MOST_NODES: Final = 200
#: A run that was accepted, or has changed, so lately is on its way.
SOON_US: Final = 60 * 1_000_000
_DEEPEST: Final = 25


@dataclass(frozen=True, kw_only=True)
class Reason:
    """
    Something that a run waits for.

    Attributes:
        node: The node that waits; None where all of the run does.
        is_wrong: Whether nothing that will come by itself moves it.
        inner: What a nested run waits for, where the node waits for that.
    """

    cause: Cause
    text: str
    node: str | None = None
    is_wrong: bool = False
    inner: "Why | None" = None


@dataclass(frozen=True, kw_only=True)
class Why:
    """A run, and all that it waits for."""

    run_id: ExecutionId
    status: Status
    reasons: tuple[Reason, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether something of it is wrong."""
        return any(one.is_wrong or (one.inner and one.inner.is_wrong) for one in self.reasons)

    def lines(self) -> Iterator[str]:
        """Yield its reasons, a sentence each; those of nested runs after what waits for them."""
        for reason in self.reasons:
            yield reason.text
            if reason.inner is not None:
                for line in reason.inner.lines():
                    yield f"nested run #{reason.inner.run_id}: {line}"


@dataclass(frozen=True, kw_only=True)
class House:
    """
    What is known about the server.

    Attributes:
        executor: Whether an executor works on the database.
        facts: What that executor says; None where it was not asked, or did not answer.
        slots: Setting NUM_GRAPH_WORKERS.
    """

    executor: bool
    slots: int
    catalog: Catalog
    facts: EngineFacts | None = None
    now_us: int


def explain(rows: RunRows, run: RunRow, house: House, *, depth: int = 0) -> Why:
    """Say why *run* does not move; of one that has ended, what of it never ran."""
    return Why(
        run_id=run.id,
        status=run.status,
        reasons=tuple(_Explanation(rows, run, house, depth).reasons()),
    )


class _Explanation:
    """One run, looked at once."""

    def __init__(self, rows: RunRows, run: RunRow, house: House, depth: int) -> None:
        self._rows = rows
        self._run = run
        self._house = house
        self._depth = depth
        facts = house.facts if house.facts and run.id in house.facts.asked else None
        self._is_taken = None if facts is None else run.id in facts.runs
        self._works = None if facts is None else facts.runs.get(run.id)

    def reasons(self) -> Iterator[Reason]:
        run = self._run
        if run.status in FINAL:
            yield self._ended()
            yield from self._never()
            return
        held = list(self._held())
        yield from held
        if run.status is Status.REVIEW and run.stop_us is None:
            yield from self._nodes()
        elif not self._house.executor:
            what = "stops" if run.stop_us is not None else "goes on"
            text = f"Nobody works on it: the server is down. It {what} when the server is started."
            yield Reason(cause=Cause.SERVER_DOWN, text=text)
        elif run.stop_us is not None:
            yield from self._stopping(run.stop_us)
        elif run.status is Status.QUEUED and not held:
            yield self._queued()
        elif run.status is Status.RUNNING:
            yield from self._running(is_held=bool(held))

    def _ended(self) -> Reason:
        run = self._run
        text = f"It ended as {run.status} {said_time(run.ended_us)}"
        return Reason(cause=Cause.ENDED, text=f"{text}: {run.error}" if run.error else f"{text}.")

    def _never(self) -> Iterator[Reason]:
        """Say what never ran, of a run that has ended."""
        for node in self._open():
            if node.status is Status.INCOMPLETE:
                yield self._said(node, self._says().incomplete(node, is_over=True))

    def _held(self) -> Iterator[Reason]:
        for hold in self._rows.holds(self._run):
            what = {"run": "It", "graph": "Its graph", "server": "The server"}.get(hold.kind)
            since = self._since(hold.created_us)
            text = f"{what or hold.kind} has been paused by an operator {since}"
            text += f": {hold.reason}" if hold.reason else "."
            yield Reason(cause=Cause.OPERATOR, text=text)

    def _stopping(self, stop_us: int) -> Iterator[Reason]:
        late = self._house.now_us - stop_us > SOON_US
        text = f"It was told to stop {duration(self._house.now_us - stop_us)} ago"
        running = [node for node in self._open() if node.status is Status.RUNNING]
        if not running:
            yield Reason(cause=Cause.STOPPING, text=f"{text}.", is_wrong=late)
        for node in running:
            inner = self._inner(node)
            does = "its nested run has not ended" if inner else "it does not end"
            yield Reason(
                cause=Cause.STOPPING,
                text=f"{text}; node {self._says().name(node.node_id)} is at work, and {does}.",
                node=node.node_id,
                is_wrong=late and inner is None,
                inner=inner,
            )

    # Before it begins.

    def _queued(self) -> Reason:
        run = self._run
        waited = duration(self._house.now_us - run.created_us)
        if self._rows.graph(run) is None:
            text = f"Its graph is gone, and yet it has been queued for {waited}."
            return Reason(cause=Cause.LOST, text=text, is_wrong=True)
        if run.depth:
            text = f"It has been queued for {waited}; it goes on with the run that started it."
            return Reason(cause=Cause.PARENT, text=text)
        return self._limited() or self._not_limited(waited)

    def _limited(self) -> Reason | None:
        """Say at which limit a root waits, if at one."""
        run, facts = self._run, self._house.facts
        before = self._rows.before(run)
        line = f"{before} of this user's runs {'is' if before == 1 else 'are'} before it"
        if not before:
            line = "it is the next of this user's"
        if facts is None:
            taken, slots = self._rows.at_work(), self._house.slots
            if taken < slots:
                return None
        else:
            limits = facts.admission
            if (run.user_id, run.graph_id) in limits.full_graphs:
                text = (
                    f"It waits for others of the same graph: {limits.per_graph} of them run, and no"
                    " more may at once of one user"
                    f" (setting MAX_CONCURRENT_GRAPH_EXECUTIONS_PER_USER); {line}."
                )
                return Reason(cause=Cause.GRAPH_LIMIT, text=text)
            if run.user_id in limits.full_users:
                text = (
                    f"It waits for others of this user: {limits.per_user} of them run, and no more"
                    f" may at once (setting MAX_RUNS_PER_USER); {line}."
                )
                return Reason(cause=Cause.USER_LIMIT, text=text)
            taken, slots = limits.slots - limits.free, limits.slots
            if limits.free:
                return None
        text = f"It waits for a slot: {taken} of {slots} are taken (setting NUM_GRAPH_WORKERS)"
        return Reason(cause=Cause.SLOT, text=f"{text}; {line}.")

    def _not_limited(self, waited: str) -> Reason:
        late = self._house.now_us - self._run.created_us > SOON_US
        text = f"It has been queued for {waited}, though the executor has free slots."
        if not late:
            text = f"It was accepted {waited} ago; the executor takes it within a second."
        return Reason(cause=Cause.LOST if late else Cause.SOON, text=text, is_wrong=late)

    # At work.

    def _running(self, *, is_held: bool) -> Iterator[Reason]:
        run, since = self._run, duration(self._house.now_us - self._run.updated_us)
        late = self._house.now_us - run.updated_us > SOON_US and not is_held
        if run.stalls:
            text = f"Its executor was lost {run.stalls} times at this point."
            yield Reason(cause=Cause.STALLS, text=text)
        if self._is_taken is False and not is_held:
            yield self._not_taken(since, is_late=late)
            return
        found = list(self._nodes())
        yield from found
        if any(one.cause is not Cause.NEVER and one.cause is not Cause.INPUT for one in found):
            return
        if not is_held:
            text = f"None of its nodes runs or is queued, for {since}."
            yield Reason(cause=Cause.LOST, text=text, is_wrong=late)

    def _not_taken(self, since: str, *, is_late: bool) -> Reason:
        limits = self._house.facts.admission if self._house.facts else None
        if limits is not None and not limits.free and not self._run.depth:
            text = (
                "It has begun, and waits for a slot to go on:"
                f" {limits.slots} of {limits.slots} are taken (setting NUM_GRAPH_WORKERS)."
            )
            return Reason(cause=Cause.SLOT, text=text)
        text = f"It has begun, and the executor does not have it, for {since}."
        return Reason(cause=Cause.LOST, text=text, is_wrong=is_late)

    def _nodes(self) -> Iterator[Reason]:
        """Say what each of its open node executions waits for."""
        says = self._says()
        for node in self._open():
            match node.status:
                case Status.RUNNING:
                    inner = self._inner(node)
                    yield self._said(node, says.running(node, has_inner=inner is not None), inner)
                case Status.QUEUED:
                    yield self._said(node, says.queued(node))
                case Status.REVIEW:
                    yield self._said(node, says.asked(node, self._run.id))
                case _:
                    yield self._said(node, says.incomplete(node, is_over=False))

    def _said(
        self, node: OpenNode, said: tuple[Cause, str, bool], inner: Why | None = None
    ) -> Reason:
        cause, text, is_wrong = said
        return Reason(cause=cause, text=text, node=node.node_id, is_wrong=is_wrong, inner=inner)

    def _inner(self, node: OpenNode) -> Why | None:
        if not node.is_agent or self._depth >= _DEEPEST:
            return None
        child = self._rows.run(run_below(self._run.id, node.id, node.tries))
        if child is None or child.status in FINAL:
            return None
        return explain(self._rows, child, self._house, depth=self._depth + 1)

    def _open(self) -> Sequence[OpenNode]:
        return self._rows.open_nodes(self._run.id, limit=MOST_NODES)

    def _says(self) -> NodeSays:
        house = self._house
        return NodeSays(
            plan=self._plan(),
            nodes=self._open(),
            ran=self._rows.ran(self._run.id),
            works=self._works,
            parallel=house.facts.parallel if house.facts else None,
            now_us=house.now_us,
        )

    def _plan(self) -> GraphPlan | None:
        graph = self._rows.graph(self._run)
        try:
            return None if graph is None else GraphPlan(graph, self._house.catalog)
        except GraphInvalid:
            return None  # a block of it is not installed here: its nodes go by their ids

    def _since(self, at_us: int) -> str:
        return f"since {said_time(at_us)[3:]}, {duration(self._house.now_us - at_us)} ago"
