"""The spec of storage: what every adapter must do for the engine and the services."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pytest

from backend.core.errors import NotFound
from backend.core.execution import NodeExecution, RunStats
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, PresetId, ScheduleId, UserId, WebhookId
from backend.core.records import (
    Hold,
    HoldKind,
    NewExecution,
    PresetChanges,
    PresetRecord,
    ScheduleRecord,
    WebhookRecord,
)
from backend.core.status import Status
from backend.ports.storage import JournalBatch, RunChange, Storage

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
RUN: Final = ExecutionId("run")
GRAPH: Final = Graph(id=GraphId("graph"), name="graph", description="")
HOOK: Final = WebhookRecord(
    id=WebhookId("hook"),
    user_id=ANN,
    provider="generic_webhook",
    webhook_type="plain",
    sealed="ab" * 32,
    events=("plain",),
    config={"require_signature": True},
    created_us=1,
)
PRESET: Final = PresetRecord(
    id=PresetId("preset"),
    user_id=ANN,
    graph_id=GRAPH.id,
    graph_version=1,
    name="preset",
    description="",
    inputs={"a": [1, None]},
    credentials={},
    webhook_id=HOOK.id,
    webhook=HOOK,
    created_us=1,
    updated_us=1,
)


def new_run(run_id: str = "run", **changes: object) -> NewExecution:
    """Return a run of Ann's graph."""
    made = NewExecution(
        id=ExecutionId(run_id),
        user_id=ANN,
        graph_id=GRAPH.id,
        graph_version=1,
        inputs={"a": 1},
        created_us=1,
    )
    return replace(made, **changes)  # type: ignore[arg-type] # the fields of the record


def change(
    *,
    attempt: int = 1,
    claim: bool = False,
    status: Status = Status.RUNNING,
    revision: int = 2,
    nodes: Sequence[NodeExecution] = (),
    read_at: int | None = None,
) -> RunChange:
    """Return a change of the run."""
    values = {
        "status": status.value,
        "revision": revision,
        "updated_us": revision,
        "started_us": 1,
        "ended_us": revision if status is Status.COMPLETED else None,
        "stats": RunStats(node_count=revision),
    }
    return RunChange(
        run_id=RUN,
        attempt=attempt,
        claim=claim,
        stalls=None,
        values=values,
        nodes=nodes,
        read_at=read_at,
    )


async def commit(
    storage: Storage, owner: str, *changes: RunChange, new_runs: Sequence[NewExecution] = ()
) -> frozenset[ExecutionId]:
    """Commit *changes* as *owner*."""
    batch = JournalBatch(owner=owner, changes=changes, new_runs=new_runs)
    return await storage.commit(storage.stage(batch))


class StorageSpec:
    """Give a fixture `storage`, migrated and empty; every test must pass."""

    @pytest.fixture(autouse=True)
    async def _accounts(self, storage: Storage) -> None:
        for user in (ANN, BOB):
            await storage.of(user).save_user(email=f"{user}@example.com", name=None, now_us=1)
        await storage.of(ANN).add_graphs([GRAPH], now_us=1)

    async def test_the_same_run_twice_is_one_run(self, storage: Storage) -> None:
        """A caller that got no answer asks again."""
        first, second = await asyncio.gather(storage.submit(new_run()), storage.submit(new_run()))

        assert first.id == second.id == RUN
        assert await storage.unfinished(limit=10, exclude=[]) == [RUN]

    async def test_a_run_of_somebody_elses_graph_is_refused_and_harms_no_neighbour(
        self, storage: Storage
    ) -> None:
        """Submissions are committed in groups."""
        outcomes = await asyncio.gather(
            storage.submit(new_run("mine")),
            storage.submit(new_run("theirs", user_id=BOB)),
            return_exceptions=True,
        )

        assert isinstance(outcomes[1], NotFound)
        assert await storage.unfinished(limit=10, exclude=[]) == ["mine"]

    async def test_users_take_turns_with_what_waits(self, storage: Storage) -> None:
        """However many runs one of them has; who is full is left out, his nested runs are not."""
        theirs = replace(GRAPH, id=GraphId("theirs"), user_id=BOB)
        await storage.of(BOB).add_graphs([theirs], now_us=1)
        for number in range(5):
            await storage.submit(new_run(f"a{number}", created_us=number))
        for number in range(2):
            changes = {"user_id": BOB, "graph_id": theirs.id, "created_us": 10 + number}
            await storage.submit(new_run(f"b{number}", **changes))

        fair = await storage.unfinished(limit=5, exclude=[])
        without = await storage.unfinished(limit=5, exclude=[], full_users=[ANN])

        assert fair == ["a0", "b0", "a1", "b1", "a2"]
        assert without == ["b0", "b1"]

    async def test_what_is_paused_is_left_out_until_it_is_let_go(self, storage: Storage) -> None:
        """A run with what it runs, a graph, everything."""
        await storage.submit(new_run())
        child = new_run("child", parent_id=RUN, root_id=RUN)
        await commit(storage, "x", change(claim=True), new_runs=[child])
        await storage.submit(new_run("other"))
        run = Hold(kind=HoldKind.RUN, id=RUN, reason="why", created_us=5)

        assert [await storage.hold(run), await storage.hold(run)] == [True, False]
        assert await storage.holds() == [run]
        assert await storage.unfinished(limit=9, exclude=[]) == ["other"]
        assert await storage.hold(Hold(kind=HoldKind.GRAPH, id=GRAPH.id))
        assert await storage.unfinished(limit=9, exclude=[]) == []
        for one in await storage.holds():
            assert await storage.let_go(one.kind, one.id)
        assert not await storage.let_go(HoldKind.RUN, RUN)
        assert set(await storage.unfinished(limit=9, exclude=[])) == {RUN, "child", "other"}
        assert await storage.hold(Hold(kind=HoldKind.SERVER))
        assert await storage.unfinished(limit=9, exclude=[]) == []
        with pytest.raises(NotFound):
            await storage.hold(Hold(kind=HoldKind.RUN, id="nothing"))

    async def test_the_pause_of_a_graph_goes_with_it(self, storage: Storage) -> None:
        """Its runs that wait come to their end then."""
        assert await storage.hold(Hold(kind=HoldKind.GRAPH, id=GRAPH.id))

        await storage.of(ANN).delete_graph(GRAPH.id, now_us=2)

        assert await storage.holds() == []

    async def test_a_child_that_is_added_after_its_root_was_stopped_must_stop_too(
        self, storage: Storage
    ) -> None:
        """The stop was noted with all that was there, and this one was on its way."""
        await storage.submit(new_run())
        asked_us = 2
        assert await storage.of(ANN).ask_stop(RUN, now_us=asked_us)
        child = new_run("child", parent_id=RUN, root_id=RUN, depth=1)
        await commit(storage, "x", change(claim=True), new_runs=[child])

        [loaded] = await storage.load_runs([ExecutionId("child")])

        assert loaded.record.stop_us == asked_us

    async def test_what_is_somebody_elses_does_not_exist(self, storage: Storage) -> None:
        """By no way of asking."""
        await storage.submit(new_run())
        bob = storage.of(BOB)

        assert await bob.execution(RUN) is None
        assert await bob.executions(limit=10) == []
        assert await bob.executions_page(GRAPH.id, page=1, page_size=10) == ([], 0)
        assert await bob.node_executions(RUN, limit=10) == []
        assert not await bob.ask_stop(RUN, now_us=2)
        assert not await bob.delete_execution(RUN, now_us=2)
        assert await bob.graph(GRAPH.id) is None
        assert await bob.delete_graph(GRAPH.id, now_us=2) == 0
        assert await storage.of(ANN).execution(RUN) is not None

    async def test_only_one_owner_gets_an_attempt(self, storage: Storage) -> None:
        """The loser saves nothing, its new child included."""
        await storage.submit(new_run())

        assert await commit(storage, "one", change(claim=True)) == frozenset()
        child = new_run("child", parent_id=RUN)
        late = change(claim=True, status=Status.COMPLETED, revision=9)
        assert await commit(storage, "two", late, new_runs=[child]) == {RUN}

        run = await storage.of(ANN).execution(RUN)
        assert run is not None
        assert (run.status, run.revision) == (Status.RUNNING, 2)
        assert await storage.unfinished(limit=10, exclude=[]) == [RUN]

    async def test_an_owner_whose_run_was_taken_over_saves_nothing_more(
        self, storage: Storage
    ) -> None:
        """It slept, and wakes up."""
        await storage.submit(new_run())
        await commit(storage, "old", change(claim=True))
        await commit(storage, "new", change(claim=True, attempt=2, revision=3))

        assert await commit(storage, "old", change(revision=9)) == {RUN}
        assert await commit(storage, "new", change(attempt=2, revision=4)) == frozenset()

    async def test_a_batch_committed_twice_is_committed_once(self, storage: Storage) -> None:
        """Its answer was lost; the claim in it must not look like somebody else's."""
        await storage.submit(new_run())
        staged = storage.stage(
            JournalBatch(
                owner="one",
                changes=[change(claim=True)],
                new_runs=[new_run("child", parent_id=RUN)],
            )
        )

        assert await storage.commit(staged) == frozenset()
        assert await storage.commit(staged) == frozenset()

        assert await storage.unfinished(limit=10, exclude=[]) == [RUN, "child"]

    async def test_a_stop_reaches_all_runs_below(self, storage: Storage) -> None:
        """And nobody else's."""
        for run in (
            new_run(),
            new_run("child", parent_id=RUN),
            new_run("grandchild", parent_id="child"),
            new_run("other"),
        ):
            await storage.submit(run)

        assert await storage.of(ANN).ask_stop(RUN, now_us=2)

        assert sorted(await storage.stops_asked()) == ["child", "grandchild", "run"]

    async def test_a_fire_is_taken_once(self, storage: Storage) -> None:
        """However many schedulers try."""
        schedule = ScheduleRecord(
            id=ScheduleId("s"),
            user_id=ANN,
            graph_id=GRAPH.id,
            graph_version=1,
            name="s",
            agent_name="graph",
            cron="* * * * *",
            timezone="UTC",
            inputs={},
            credentials={},
            next_us=10,
        )
        await storage.of(ANN).add_schedule(schedule)

        taken = await asyncio.gather(
            *(storage.fire(schedule, fire_us=10, next_us=20, run=new_run()) for _ in range(3))
        )

        assert sorted(taken) == [False, False, True]
        assert await storage.next_fire() == 20  # noqa: PLR2004 -- as given above
        assert await storage.unfinished(limit=10, exclude=[]) == [RUN]

    async def test_a_preset_is_read_back_with_its_webhook(self, storage: Storage) -> None:
        """Alone, in a list, and by whoever delivers to the webhook."""
        ann = storage.of(ANN)
        second = replace(PRESET, id=PresetId("second"), webhook=None, updated_us=2)
        await ann.add_preset(PRESET)
        await ann.add_preset(second)

        assert await ann.preset(PRESET.id) == PRESET
        kept = replace(second, webhook=HOOK)
        assert await ann.presets(GRAPH.id, page=1, page_size=10) == ([kept, PRESET], 2)
        assert await ann.presets(None, page=2, page_size=1) == ([PRESET], 2)
        assert await ann.presets(GraphId("other"), page=1, page_size=10) == ([], 0)
        assert await ann.webhook(HOOK.id) == HOOK
        found = await storage.triggered_by(HOOK.id)
        assert found is not None
        assert (found[0], [one.id for one in found[1]]) == (HOOK, ["preset", "second"])

    async def test_presets_and_webhooks_of_others_do_not_exist(self, storage: Storage) -> None:
        """Nor can one be named: its secret would be shown, and its deliveries taken."""
        await storage.of(ANN).add_preset(PRESET)
        bob = storage.of(BOB)
        await bob.add_graphs([replace(GRAPH, id=GraphId("his"))], now_us=1)
        his = replace(PRESET, id=PresetId("his"), user_id=BOB, webhook=None)

        for refused in (replace(his, graph_id=GraphId("his")), replace(his, webhook_id=None)):
            with pytest.raises(NotFound):
                await bob.add_preset(refused)
        with pytest.raises(NotFound):
            await bob.change_preset(PRESET.id, PresetChanges(name="mine"), now_us=2)

        assert await bob.preset(PRESET.id) is None
        assert await bob.webhook(HOOK.id) is None
        assert await bob.presets(None, page=1, page_size=10) == ([], 0)
        assert not await bob.delete_preset(PRESET.id, now_us=2)
        assert await storage.of(ANN).preset(PRESET.id) == PRESET

    async def test_a_webhook_that_comes_with_a_refused_preset_is_not_kept(
        self, storage: Storage
    ) -> None:
        """Both or neither."""
        with pytest.raises(NotFound):
            await storage.of(ANN).add_preset(replace(PRESET, graph_version=7))

        assert await storage.of(ANN).webhook(HOOK.id) is None

    async def test_a_change_of_a_preset_leaves_what_it_does_not_name(
        self, storage: Storage
    ) -> None:
        """What is empty is no less a value."""
        ann = storage.of(ANN)
        await ann.add_preset(PRESET)
        changes = PresetChanges(inputs={}, is_active=False, webhook_config={})

        changed = await ann.change_preset(PRESET.id, changes, now_us=9)

        hook = replace(HOOK, config={})
        wanted = replace(PRESET, inputs={}, is_active=False, updated_us=9, webhook=hook)
        assert changed == wanted == await ann.preset(PRESET.id)
        assert await storage.triggered_by(HOOK.id) == (hook, [])

    async def test_a_webhook_lives_as_long_as_a_preset_names_it(self, storage: Storage) -> None:
        """And a deleted preset is gone for its owner too."""
        ann = storage.of(ANN)
        await ann.add_preset(PRESET)
        await ann.add_preset(replace(PRESET, id=PresetId("second"), webhook=None))

        assert await ann.delete_preset(PRESET.id, now_us=2)
        assert await ann.webhook(HOOK.id) == HOOK
        assert await ann.delete_preset(PresetId("second"), now_us=3)

        assert not await ann.delete_preset(PRESET.id, now_us=4)
        assert await ann.preset(PRESET.id) is None
        assert await storage.triggered_by(HOOK.id) is None

    async def test_nothing_starts_the_presets_of_a_graph_that_is_gone(
        self, storage: Storage
    ) -> None:
        """They stay: what was typed into them is not the graph's."""
        ann = storage.of(ANN)
        await ann.add_preset(PRESET)

        await ann.delete_graph(GRAPH.id, now_us=2)

        left = await ann.preset(PRESET.id)
        assert left == replace(PRESET, is_active=False, webhook_id=None, webhook=None)
        assert await storage.triggered_by(HOOK.id) is None
