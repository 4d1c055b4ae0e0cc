"""The spec of libraries: what every adapter must do."""

from dataclasses import replace
from typing import Final

import pytest

from backend.core.errors import NotAllowed, NotFound
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, LibraryAgentId, UserId
from backend.core.library import RECENT_RUNS, LibraryAgent, LibraryChanges, LibrarySort
from backend.core.records import NewExecution
from backend.core.status import Status
from backend.ports.library import Libraries, UserLibrary
from backend.ports.storage import Storage
from backend.testing.storage import PRESET

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")


def named(name: str, *, description: str = "", version: int = 1) -> Graph:
    """Return a graph of that name and id."""
    return Graph(id=GraphId(name), name=name, description=description, version=version)


def run_of(graph: str, run_id: str, *, user: UserId = ANN, at_us: int = 1) -> NewExecution:
    """Return a run of *graph*."""
    return NewExecution(
        id=ExecutionId(run_id),
        user_id=user,
        graph_id=GraphId(graph),
        graph_version=1,
        inputs={},
        created_us=at_us,
    )


async def names(mine: UserLibrary, **wanted: object) -> list[str]:
    """Return the names on the first page of a list."""
    page, _ = await mine.page(**{"skip": 0, "most": 100, **wanted})  # type: ignore[arg-type] # as a caller writes them
    return [agent.graph.name for agent in page]


class LibrariesSpec:
    """Give fixtures `storage`, migrated and empty, and `libraries` over it; every test must pass."""

    @pytest.fixture(autouse=True)
    async def _accounts(self, storage: Storage) -> None:
        for user in (ANN, BOB):
            await storage.of(user).save_user(
                email=f"{user}@example.com", name=str(user).title(), now_us=1
            )
        for at_us, name in enumerate(("first", "second", "third"), 1):
            await storage.of(ANN).add_graphs([named(name)], now_us=at_us)

    async def entry(self, libraries: Libraries, graph: str) -> LibraryAgent:
        """Return Ann's entry of *graph*."""
        found = await libraries.of(ANN).of_graph(GraphId(graph))
        assert found is not None
        return found

    async def test_lists_are_in_order_and_in_pages(self, libraries: Libraries) -> None:
        mine = libraries.of(ANN)
        await mine.change(
            (await self.entry(libraries, "first")).id, LibraryChanges(is_favorite=True), now_us=9
        )

        page, total = await mine.page(skip=1, most=1)

        assert ([agent.graph.name for agent in page], total) == (["third"], 3)
        assert await names(mine) == ["first", "third", "second"]
        assert await names(mine, sort=LibrarySort.CREATED) == ["first", "second", "third"]
        assert await names(mine, only_favorites=True) == ["first"]

    async def test_a_search_looks_at_names_and_descriptions_in_any_case(
        self, libraries: Libraries, storage: Storage
    ) -> None:
        await storage.of(ANN).add_graphs([named("x", description="ÜBER 100% _all_")], now_us=9)
        mine = libraries.of(ANN)

        assert await names(mine, search="über") == ["x"]
        assert await names(mine, search="SECOND") == ["second"]
        assert await names(mine, search="100%") == ["x"]
        assert await names(mine, search="%") == ["x"]
        assert await names(mine, search="nothing") == []

    async def test_what_is_archived_is_not_listed_but_found(self, libraries: Libraries) -> None:
        mine, entry = libraries.of(ANN), await self.entry(libraries, "second")

        await mine.change(entry.id, LibraryChanges(is_archived=True), now_us=9)

        assert await names(mine) == ["third", "first"]
        found = await mine.get(entry.id)
        assert found is not None
        assert found.is_archived

    async def test_somebody_elses_entry_is_like_none(self, libraries: Libraries) -> None:
        entry, theirs = await self.entry(libraries, "first"), libraries.of(BOB)

        assert await theirs.get(entry.id) is None
        assert await theirs.of_graph(GraphId("first")) is None
        assert await theirs.page(skip=0, most=10) == ([], 0)
        assert not await theirs.remove(entry.id, now_us=9)
        with pytest.raises(NotFound):
            await theirs.change(entry.id, LibraryChanges(is_favorite=True), now_us=9)
        assert await self.entry(libraries, "first") == entry

    async def test_a_change_to_a_version_that_is_not_there_changes_nothing(
        self, libraries: Libraries
    ) -> None:
        entry = await self.entry(libraries, "first")

        with pytest.raises(NotFound, match="v7"):
            await libraries.of(ANN).change(
                entry.id, LibraryChanges(graph_version=7, is_favorite=True), now_us=9
            )

        assert await self.entry(libraries, "first") == entry

    async def test_all_that_a_change_names_is_changed(
        self, libraries: Libraries, storage: Storage
    ) -> None:
        await storage.of(ANN).add_version(named("first"), [], now_us=5)
        entry = await self.entry(libraries, "first")

        after = await libraries.of(ANN).change(
            entry.id,
            LibraryChanges(
                graph_version=1, is_favorite=True, is_archived=True, settings={"a": True}
            ),
            now_us=9,
        )

        assert (entry.graph.version, entry.newest_version) == (2, 2)
        assert (after.graph.version, after.newest_version, after.updated_us) == (1, 2, 9)
        assert (after.is_favorite, after.is_archived, after.settings) == (True, True, {"a": True})
        more = await libraries.of(ANN).change(
            entry.id, LibraryChanges(settings={"b": False}), now_us=10
        )
        assert more.settings == {"a": True, "b": False}

    async def test_an_entry_that_does_not_follow_keeps_its_version(
        self, libraries: Libraries, storage: Storage
    ) -> None:
        entry = await self.entry(libraries, "first")
        await libraries.of(ANN).change(entry.id, LibraryChanges(follows_active=False), now_us=5)

        await storage.of(ANN).add_version(named("first"), [], now_us=6)
        await storage.of(ANN).add_version(named("second"), [], now_us=6)

        assert (await self.entry(libraries, "first")).graph.version == 1
        assert (await self.entry(libraries, "second")).graph.version == 2
        shown = await libraries.of(ANN).of_graph(GraphId("first"), 2)
        assert shown is not None
        assert shown.graph.version == 2
        assert await libraries.of(ANN).of_graph(GraphId("first"), 3) is None

    async def test_an_entry_tells_of_its_newest_runs(
        self, libraries: Libraries, storage: Storage
    ) -> None:
        for number in range(RECENT_RUNS + 2):
            await storage.submit(run_of("first", f"run{number}", at_us=number + 1))
        await storage.of(ANN).delete_execution(ExecutionId("run11"), now_us=20)

        entry = await self.entry(libraries, "first")

        assert [run.created_us for run in entry.recent] == list(range(11, 1, -1))
        assert {run.status for run in entry.recent} == {Status.QUEUED}
        assert (entry.owner_name, (await self.entry(libraries, "second")).recent) == ("Ann", [])

    async def test_what_was_removed_is_gone_with_all_that_starts_it(
        self, libraries: Libraries, storage: Storage
    ) -> None:
        entry, mine = await self.entry(libraries, "first"), storage.of(ANN)
        await mine.add_preset(replace(PRESET, graph_id=GraphId("first")))
        await storage.submit(run_of("first", "before"))

        assert await libraries.of(ANN).remove(entry.id, now_us=9)

        assert not await libraries.of(ANN).remove(entry.id, now_us=9)
        assert await libraries.of(ANN).get(entry.id) is None
        assert await names(libraries.of(ANN)) == ["third", "second"]
        preset = await mine.preset(PRESET.id)
        assert preset is not None
        assert (preset.webhook_id, preset.is_active) == (None, False)
        assert await mine.execution(ExecutionId("before")) is not None
        assert await mine.graph(GraphId("first")) is not None

    @pytest.mark.parametrize("way", ["archived", "removed"])
    async def test_only_what_is_in_the_library_can_be_run(
        self, libraries: Libraries, storage: Storage, way: str
    ) -> None:
        entry, mine = await self.entry(libraries, "first"), libraries.of(ANN)
        if way == "archived":
            await mine.change(entry.id, LibraryChanges(is_archived=True), now_us=9)
        else:
            await mine.remove(entry.id, now_us=9)

        with pytest.raises(NotAllowed):
            await storage.submit(run_of("first", "after"))

        # Back in the library it can be run again.
        if way == "archived":
            await mine.change(entry.id, LibraryChanges(is_archived=False), now_us=10)
        else:
            await storage.of(ANN).add_version(named("first"), [], now_us=10)
        await storage.submit(run_of("first", "again"))

    async def test_an_unknown_entry_is_none(self, libraries: Libraries) -> None:
        assert await libraries.of(ANN).get(LibraryAgentId("a\x00b")) is None
