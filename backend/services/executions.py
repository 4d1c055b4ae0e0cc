"""Runs: start, read, list, stop, delete. What happens in a run is the engine's."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.alone import HIDDEN
from backend.core.catalog import Catalog
from backend.core.errors import BadRequest, Conflict, NotFound, StillStopping
from backend.core.ids import ExecutionId, GraphId, UserId, derived_id
from backend.core.records import ExecutionRecord, NewExecution, NodeRecord, ParkedRun
from backend.core.status import UNFINISHED, Status
from backend.ports.clock import Clock
from backend.ports.credentials import CredentialsStore
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import Storage
from backend.services.credits import CreditService
from backend.services.graphs import GraphService
from backend.services.lent import with_lent
from backend.services.runnable import ReadyGraph, Runnable, asked_of, require_runnable

#: What lists return at most (spec/contract.md 3.4).
MAX_EXECUTIONS: Final = 250
MAX_NODE_EXECUTIONS: Final = 1_000
MAX_PARKED: Final = 1_000

#: How long a caller waits for a run to stop. The run stops in any case.
STOP_WAIT_S: Final = 15.0
_FIRST_LOOK_S: Final = 0.005
_SLOWEST_LOOK_S: Final = 0.050

#: Statuses in which a run can be stopped. The reference leaves one that waits for people waiting.
_STOPPABLE: Final = UNFINISHED | {Status.INCOMPLETE, Status.REVIEW}


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """
    What a run is started with.

    Attributes:
        inputs: By the names of the graph's input blocks; others are ignored.
        credentials: References by the names of the graph's credentials schema.
        masks: Values by node id, then pin, that stand before all others.
        trigger: What starts it: api, schedule, webhook, agent.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] | None = None
    masks: Mapping[str, Mapping[str, Any]] | None = None
    preset_id: str | None = None
    trigger: str = "api"


class ExecutionService:
    """Runs of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        storage: Storage,
        dispatcher: Dispatcher,
        graphs: GraphService,
        credentials: CredentialsStore,
        catalog: Catalog,
        clock: Clock,
        credits_: CreditService | None = None,
    ) -> None:
        """Take what runs need; without *credits_* nobody has to have any."""
        self._storage = storage
        self._dispatcher = dispatcher
        self._graphs = graphs
        self._credentials = credentials
        self._catalog = catalog
        self._clock = clock
        self._credits = credits_

    async def start(
        self,
        user_id: UserId,
        graph_id: GraphId,
        version: int | None,
        request: RunRequest,
        *,
        run_id: ExecutionId | None = None,
    ) -> ExecutionRecord:
        """
        Start a run and return it, QUEUED. It is on disk when this returns.

        The active version is run when *version* is None. A *run_id* that is there already is that
        run, as it is now: what is started twice under one id runs once.

        Raises:
            BadRequest: If there is no such graph (spec/contract.md 6 has it so), or no node to
                start with, or an input does not fit.
            GraphInvalid: If the graph cannot run as it is, by node.
            InsufficientBalance: If the user has no credits left.
        """
        await self._require_credits(user_id)
        try:
            ready = await self._ready(user_id, graph_id, version)
            # Storage looks again: the graph may have been deleted since its plan was made.
            run = await self._new_run(user_id, ready, request)
            record = await self._storage.submit(replace(run, id=run_id) if run_id else run)
        except NotFound as exc:
            raise BadRequest(str(exc)) from exc
        self._dispatcher.signal(SignalKind.RUN, record.id, user_id)
        return record

    async def start_once(
        self,
        user_id: UserId,
        graph_id: GraphId,
        version: int | None,
        request: RunRequest,
        *,
        key: str,
    ) -> tuple[ExecutionRecord, bool]:
        """
        Start a run, or return the one that the same request with the same *key* has started.

        A key belongs to its user, and is known as long as its run is.

        Returns:
            The run, and whether it was there already.

        Raises:
            Conflict: If the key has started another run than this request asks for.
            BadRequest, GraphInvalid: As `start` does.
        """
        run_id = ExecutionId(derived_id(user_id, "start", key))
        known = await self._storage.of(user_id).execution(run_id)
        if known is None:
            await self._require_credits(user_id)
            try:
                ready = await self._ready(user_id, graph_id, version)
                new = replace(await self._new_run(user_id, ready, request), id=run_id)
                # Somebody may be quicker with the same key: then theirs is returned.
                known = await self._storage.submit(new)
            except NotFound as exc:
                raise BadRequest(str(exc)) from exc
            self._dispatcher.signal(SignalKind.RUN, known.id, user_id)
            if known.created_us == new.created_us:
                return known, False
        if (
            known.graph_id != graph_id
            or known.graph_version != (known.graph_version if version is None else version)
            or known.inputs != request.inputs
            or (known.credential_inputs or None) != (request.credentials or None)
        ):
            raise Conflict(f"this Idempotency-Key has started run #{known.id}, which is another")
        return known, True

    async def _require_credits(self, user_id: UserId) -> None:
        if self._credits is not None:
            await self._credits.require_some(user_id)

    async def prepare(
        self,
        user_id: UserId,
        graph_id: GraphId,
        version: int,
        request: RunRequest,
        *,
        run_id: ExecutionId,
    ) -> NewExecution:
        """
        Return the run that `start` would add, as *run_id*, and add nothing.

        Raises:
            NotFound: If there is no such graph.
            BadRequest: As `start` does.
        """
        ready = await self._ready(user_id, graph_id, version)
        return replace(await self._new_run(user_id, ready, request), id=run_id)

    async def prepare_start(
        self,
        user_id: UserId,
        graph_id: GraphId,
        version: int,
        request: RunRequest,
        *,
        run_id: ExecutionId,
    ) -> NewExecution:
        """
        Return what `start` would add, as *run_id*, for whoever adds it with something of their own.

        Afterwards `tell` says that it is there.

        Raises:
            NotFound: If there is no such graph.
            BadRequest, GraphInvalid, InsufficientBalance: As `start` does.
        """
        await self._require_credits(user_id)
        return await self.prepare(user_id, graph_id, version, request, run_id=run_id)

    def tell(self, run: NewExecution) -> None:
        """Say that *run* is on disk. Lost? A sweep finds it."""
        self._dispatcher.signal(SignalKind.RUN, run.id, run.user_id)

    async def check(
        self, user_id: UserId, graph_id: GraphId, version: int | None, request: RunRequest
    ) -> ReadyGraph:
        """
        Return the graph that `start` would run, and start nothing.

        Raises:
            NotFound: If there is no such graph.
            BadRequest: As `start` does.
        """
        ready = await self._ready(user_id, graph_id, version)
        await self._checked(user_id, ready, request)
        return ready

    async def get(
        self, user_id: UserId, run_id: ExecutionId, *, with_outputs: bool = True
    ) -> ExecutionRecord:
        """Return a run."""
        found = await self._storage.of(user_id).execution(run_id, with_outputs=with_outputs)
        if found is None:
            raise NotFound(f"Graph execution #{run_id} not found.")
        return found

    async def get_with_nodes(
        self, user_id: UserId, graph_id: GraphId, run_id: ExecutionId
    ) -> tuple[ExecutionRecord, list[NodeRecord]]:
        """Return a run of *graph_id* and its newest node executions, `MAX_NODE_EXECUTIONS`."""
        stored = self._storage.of(user_id)
        found = await stored.execution_with_nodes(run_id, limit=MAX_NODE_EXECUTIONS)
        if found is None or found[0].graph_id != graph_id:
            raise NotFound(f"Graph execution #{run_id} not found.")
        return found

    async def listed(self, user_id: UserId) -> list[ExecutionRecord]:
        """Return the newest runs, newest first, at most `MAX_EXECUTIONS`."""
        return await self._storage.of(user_id).executions(limit=MAX_EXECUTIONS)

    async def page(
        self, user_id: UserId, graph_id: GraphId, *, page: int, page_size: int
    ) -> tuple[list[ExecutionRecord], int]:
        """Return a page (from 1) of a graph's runs, newest first, and how many there are."""
        if graph_id in HIDDEN:
            return [], 0
        stored = self._storage.of(user_id)
        return await stored.executions_page(graph_id, page=page, page_size=page_size)

    async def delete(self, user_id: UserId, run_id: ExecutionId) -> None:
        """Hide a run for ever; one that is unfinished is stopped."""
        stored = self._storage.of(user_id)
        if not await stored.delete_execution(run_id, now_us=self._clock.now_us()):
            raise NotFound(f"Graph execution #{run_id} not found.")
        self._dispatcher.signal(SignalKind.STOP, run_id)

    async def stop(
        self, user_id: UserId, graph_id: GraphId, run_id: ExecutionId
    ) -> ExecutionRecord | None:
        """
        Stop a run and all runs that it started, and wait until it has ended.

        Returns:
            The run as it was before; None when there is no unfinished run of that id.

        Raises:
            StillStopping: If it has not ended after `STOP_WAIT_S`. It will.
        """
        before = await self._storage.of(user_id).execution(run_id)
        if before is None or before.graph_id != graph_id or before.status not in _STOPPABLE:
            return None
        if not await self.ask_stop(user_id, run_id):
            return None  # it ended in between
        await self._wait_for_end(user_id, run_id)
        return before

    async def ask_stop(self, user_id: UserId, run_id: ExecutionId) -> bool:
        """Tell a run and all it started to stop, without waiting; say whether it was unfinished."""
        asked = await self._storage.of(user_id).ask_stop(run_id, now_us=self._clock.now_us())
        if asked:
            self._dispatcher.signal(SignalKind.STOP, run_id)
        return asked

    async def retry(self, user_id: UserId, graph_id: GraphId, run_id: ExecutionId) -> None:
        """
        Queue a parked run again: it goes on after the last step that was committed.

        Raises:
            NotFound: If there is no such run.
            Conflict: If it is not parked, or not any more.
            InsufficientBalance: If the user has no credits left.
        """
        await self._require_credits(user_id)
        now_us = self._clock.now_us()
        await self._storage.of(user_id).retry(graph_id, run_id, now_us=now_us)
        self._dispatcher.signal(SignalKind.RUN, run_id, user_id)

    async def parked(self) -> list[ParkedRun]:
        """Return the parked runs of everybody, the last parked first, at most `MAX_PARKED`."""
        return await self._storage.parked(limit=MAX_PARKED)

    async def retry_any(self, run_id: ExecutionId) -> None:
        """Queue a parked run of anybody again, for an administrator; raises as `retry` does."""
        user_id = await self._storage.retry(run_id, now_us=self._clock.now_us())
        self._dispatcher.signal(SignalKind.RUN, run_id, user_id)

    async def _wait_for_end(self, user_id: UserId, run_id: ExecutionId) -> None:
        stored = self._storage.of(user_id)
        pause_s = _FIRST_LOOK_S
        deadline = self._clock.monotonic_s() + STOP_WAIT_S
        while True:
            record = await stored.execution(run_id)
            if record is None or record.status not in _STOPPABLE:
                return
            if self._clock.monotonic_s() >= deadline:
                raise StillStopping(
                    f"Graph execution #{run_id} needs longer than {STOP_WAIT_S} seconds to stop. "
                    "It was told to, and will; look again in a moment."
                )
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _SLOWEST_LOOK_S)

    async def _ready(self, user_id: UserId, graph_id: GraphId, version: int | None) -> ReadyGraph:
        wanted = version
        if wanted is None:
            wanted = await self._storage.of(user_id).active_version(graph_id)
        ready = None
        if wanted is not None:
            ready = await self._graphs.ready(user_id, graph_id, wanted)
        if ready is None:
            which = f"#{graph_id}" if version is None else f"#{graph_id} v{version}"
            raise NotFound(f"Graph {which} not found.")
        return ready

    async def _checked(self, user_id: UserId, ready: ReadyGraph, request: RunRequest) -> Runnable:
        whole = None
        if request.credentials and ready.runs_others:
            whole = await self._graphs.with_sub_graphs(user_id, ready.graph)
        report, masks = asked_of(
            ready,
            self._catalog,
            inputs=request.inputs,
            credentials=request.credentials or {},
            masks=request.masks or {},
            whole=whole,
        )
        if ready.takes_credentials:  # most graphs do not, and ask nobody
            stored = self._credentials.of(user_id)
            report = await with_lent(report, ready.graph, self._catalog, masks, stored)
        return require_runnable(ready, report, masks, request.inputs)

    async def _new_run(
        self, user_id: UserId, ready: ReadyGraph, request: RunRequest
    ) -> NewExecution:
        checked = await self._checked(user_id, ready, request)
        return NewExecution(
            id=ExecutionId(self._clock.new_id()),
            user_id=user_id,
            graph_id=ready.graph.id,
            graph_version=ready.graph.version,
            inputs=request.inputs,
            credential_inputs=request.credentials,
            masks=checked.masks or None,
            skipped=checked.skipped,
            preset_id=request.preset_id,
            trigger=request.trigger,
            created_us=self._clock.now_us(),
        )
