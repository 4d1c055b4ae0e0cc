"""Large values of rows, in their files: what is on disk when, under which name, and what if not."""

import os
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.adapters.files import FolderFiles
from backend.adapters.storage import SqlStorage, open_storage, packed, value_files
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.value_files import ValueFiles, digest_of
from backend.adapters.storage.values import Values
from backend.core import json
from backend.core.errors import Unavailable, ValueLost
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine.file_sweep import sweep_files
from backend.ports.storage import JournalBatch
from backend.testing.large_values import PLAN, node_execution
from backend.testing.storage import ANN, GRAPH, RUN, change, new_run

INLINE = 100
TEXT = "x" * 1000


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    migrate(tmp_path / "agpt.db")
    made = open_storage(tmp_path / "agpt.db", inline_bytes=INLINE)
    await made.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await made.of(ANN).add_graphs([GRAPH], now_us=1)
    yield made
    await made.close()


def in_folder(folder: Path) -> Values:
    return Values(ValueFiles(folder, durable=False), inline_bytes=INLINE)


async def committed(storage: SqlStorage, **batch: Any) -> None:
    await storage.commit(storage.stage(JournalBatch(owner="A", **batch)))


def files_in(folder: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in folder.rglob("*.value"))


# JSON that a column may hold: around the limit, and like what stands for a large value.

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(
        [packed.MARK, "@[]", '@["run",[],null]', "é" * 49, "é" * 50, "x" * 98, "x" * 99]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
MARKERS = st.sampled_from([[["a"], digest_of(b"1"), 1], ["run", [[[], digest_of(b"1"), 1]], None]])


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(value=st.dictionaries(st.text(max_size=4), JSON | MARKERS, max_size=5))
def test_every_value_of_pins_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]
) -> None:
    store = in_folder(tmp_path_factory.getbasetemp() / "any")
    staging = store.staging()

    texts = [
        staging.text("run", value),
        staging.text("run", list(value.items()), packed.outputs),
        staging.text("run", list(value.values()), packed.whole),
    ]
    store.files.write(staging.files)

    pins, outputs, whole = (store.strict().loaded(text) for text in texts)
    assert json.dumps(pins) == json.dumps(value)
    assert json.dumps(outputs) == json.dumps(list(value.items()))
    assert json.dumps(whole) == json.dumps(list(value.values()))


@pytest.mark.parametrize("large", [TEXT, 1])
@pytest.mark.parametrize("sign", ["", packed.MARK])
def test_what_looks_like_a_column_in_parts_is_taken_as_it_was_given(
    tmp_path: Path, large: Any, sign: str
) -> None:
    """As a text, and as the list that it would be."""
    store = in_folder(tmp_path)
    column = ["run", [[[], digest_of(b"1"), 1]], None]
    likeness = [column, sign + json.text(column), {"a": large, "b": column}]
    staging = store.staging()

    texts = [staging.text("run", one, packed.whole) for one in likeness]
    texts.append(staging.text("run", {"a": large, "b": column, "c": sign}))
    store.files.write(staging.files)

    read = [store.strict().loaded(text) for text in texts]
    assert read == [*likeness, {"a": large, "b": column, "c": sign}]


@pytest.mark.parametrize(("size", "count"), [(INLINE - 2, 0), (INLINE - 1, 1)])
def test_only_a_value_over_the_limit_has_a_file(tmp_path: Path, size: int, count: int) -> None:
    """Its quotation marks count; its neighbours do not."""
    staging = in_folder(tmp_path).staging()

    text = staging.text("run", {"a": "x" * size, "b": "y" * (INLINE - 2)})

    assert len(staging.files) == count
    assert packed.is_packed(text) == bool(count)


# On disk before the commit that names it.


async def test_a_file_and_its_name_are_flushed_before_the_commit_that_names_it(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace
    real_write = storage.database.write_own

    def sync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append(f"sync {'folder' if is_folder else 'file'}")
        real_sync(descriptor)

    def rename(path: Path, target: Path) -> Path:
        done.append("name")
        return real_replace(path, target)

    async def write(work: Any) -> Any:
        done.append("commit")
        return await real_write(work)

    await storage.submit(new_run())
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    monkeypatch.setattr(storage.database, "write_own", write)
    node = node_execution()
    node.input = {"a": TEXT}

    await committed(storage, changes=[change(claim=True, nodes=[node])])

    # First the folder of the run, then what is in it.
    assert done == ["sync folder", "sync file", "name", "sync folder", "commit"]


async def test_rows_are_not_committed_when_their_file_cannot_be_written(
    storage: SqlStorage, tmp_path: Path
) -> None:
    (tmp_path / "files").write_text("in the way")

    with pytest.raises(Unavailable, match="folder of values"):
        await storage.submit(new_run(inputs={"a": TEXT}))

    assert await storage.of(ANN).execution(RUN) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
async def test_values_are_their_owners_alone(storage: SqlStorage, tmp_path: Path) -> None:
    await storage.submit(new_run(inputs={"a": TEXT}))

    [file] = (tmp_path / "files").rglob("*.value")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


# Once.


async def test_the_same_value_in_many_rows_is_made_to_text_once_and_is_one_file(
    storage: SqlStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real_dumps = json.dumps

    def dumps(value: Any) -> bytes:
        data = real_dumps(value)
        sizes.append(len(data))
        return data

    await storage.submit(new_run())
    large = ["y" * 10] * 1000
    nodes = [node_execution(number, Status.COMPLETED) for number in range(10)]
    for node in nodes:
        node.end_us, node.input, node.outputs = 2, {"a": large}, [("b", large)]
    monkeypatch.setattr(json, "dumps", dumps)

    for at, some in enumerate((nodes[:5], nodes[5:])):
        await committed(storage, changes=[change(claim=not at, revision=2 + at, nodes=some)])

    monkeypatch.undo()
    size = len(json.dumps(large))
    assert sum(one >= size for one in sizes) == 2  # its first column, and itself
    assert files_in(tmp_path) == [f"{RUN}/{digest_of(json.dumps(large))}.value"]
    loaded = await storage.load_nodes(RUN, PLAN)
    assert len({id(value) for one in loaded for _, value in one.outputs}) == 1


async def test_values_of_child_runs_lie_with_the_run_that_began_it_all(
    storage: SqlStorage, tmp_path: Path
) -> None:
    child = ExecutionId("child")
    await storage.submit(new_run())
    new = new_run(child, parent_id=RUN, root_id=RUN, depth=1, inputs={"a": TEXT})
    node = node_execution()
    node.input = {"a": TEXT * 2}
    of_child = replace(change(claim=True, nodes=[node]), run_id=child, root_id=RUN)

    await committed(storage, changes=[change(claim=True)], new_runs=[new])
    await committed(storage, changes=[of_child])

    assert {name.split("/")[0] for name in files_in(tmp_path)} == {RUN}
    assert len(files_in(tmp_path)) == 2


async def test_values_count_for_nothing_in_the_files_of_a_run(tmp_path: Path) -> None:
    store = in_folder(tmp_path)
    staging = store.staging()
    staging.text("run", {"a": TEXT})
    store.files.write(staging.files)

    from backend.adapters.files.folder import _count  # noqa: PLC0415 -- for this look only

    used = _count(tmp_path / "run")
    assert (used.files, used.size_bytes) == (0, 0)


async def test_a_run_that_has_ended_is_not_held_in_memory(storage: SqlStorage) -> None:
    await storage.submit(new_run())
    node = node_execution(0, Status.COMPLETED)
    node.end_us, node.input = 2, {"a": [TEXT]}

    await committed(storage, changes=[change(claim=True, nodes=[node])])
    held = len(storage.values._known)
    end = change(revision=3, status=Status.COMPLETED)
    await committed(storage, changes=[end])

    assert (held, len(storage.values._known), storage.values._known_bytes) == (1, 0, 0)


async def test_what_nobody_asks_for_again_is_not_read_when_a_run_goes_on(
    storage: SqlStorage, tmp_path: Path
) -> None:
    await storage.submit(new_run())
    past, now = node_execution(0, Status.COMPLETED), node_execution(1)
    past.end_us, past.input, past.outputs, past.routed = 2, {"a": TEXT}, [("b", TEXT)], 1
    now.input = {"a": TEXT * 2}
    await committed(storage, changes=[change(claim=True, nodes=[past, now])])
    (tmp_path / "files" / RUN / f"{digest_of(json.dumps(TEXT))}.value").unlink()

    loaded = await storage.load_nodes(RUN, PLAN)

    assert loaded[1].input == now.input
    assert (loaded[0].routed, len(loaded[0].outputs)) == (1, 1)


# Lost.


@pytest.mark.parametrize(("harm", "word"), [("unlink", "missing"), ("spoil", "damaged")])
async def test_a_lost_value_is_told_and_the_rest_is_shown(
    storage: SqlStorage, tmp_path: Path, harm: str, word: str
) -> None:
    await storage.submit(new_run(inputs={"a": TEXT, "b": 1}))
    [file] = (tmp_path / "files").rglob("*.value")
    file.unlink() if harm == "unlink" else file.write_bytes(b'"y"')

    shown = await storage.of(ANN).execution(RUN)
    [listed] = await storage.of(ANN).executions(limit=10)
    [stored] = await storage.load_runs([RUN])

    assert shown is not None
    assert shown.inputs == {
        "a": f"[lost: the file of a value of 1002 bytes is {word} "
        f"(SHA-256 {digest_of(json.dumps(TEXT))})]",
        "b": 1,
    }
    assert listed.inputs["b"] == 1
    assert stored.problem is not None
    assert stored.problem.startswith(f"ValueLost: the file of a value of 1002 bytes is {word}")


async def test_a_damaged_file_is_mended_by_who_writes_the_same_again(tmp_path: Path) -> None:
    data = json.dumps(TEXT)
    key = ("run", digest_of(data))
    ValueFiles(tmp_path, durable=True).write({key: data})
    ValueFiles(tmp_path, durable=True).place(*key).write_bytes(b"half of it")

    ValueFiles(tmp_path, durable=True).write({key: data})

    assert ValueFiles(tmp_path, durable=True).read(*key, len(data)) == data


def test_a_folder_that_was_swept_is_written_again(tmp_path: Path) -> None:
    data = json.dumps(TEXT)
    files, key = ValueFiles(tmp_path, durable=True), ("run", digest_of(data))
    files.write({key: data})
    files.place(*key).unlink()
    files.place(*key).parent.rmdir()

    files.write({key: data})

    assert files.read(*key, len(data)) == data


def test_a_broken_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    data = json.dumps(TEXT)
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(value_files, "sync_folder", lambda _: None)

    with pytest.raises(Unavailable, match="No space left"):
        ValueFiles(tmp_path, durable=True).write({("run", digest_of(data)): data})

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(ValueLost):
        ValueFiles(tmp_path, durable=True).read("run", digest_of(data), len(data))


async def test_the_sweep_spares_a_folder_that_has_just_come_to_use(tmp_path: Path) -> None:
    """A run that is asked for again writes its large input before its row."""
    now_s = [10_000_000_000.0]
    files = FolderFiles(tmp_path, now_s=lambda: now_s[0])
    values_of_run = ValueFiles(tmp_path, durable=False)
    values_of_run.write({("run", digest_of(b"1")): b"1"})

    class Rows:
        async def runs_kept(self, ids: Any) -> set[ExecutionId]:
            del ids
            os.utime(tmp_path / "run", (now_s[0], now_s[0]))
            return set()

    spared = await sweep_files(files, Rows(), untouched_s=600)
    now_s[0] += 700
    swept = await sweep_files(files, _NoRows(), untouched_s=600)

    assert spared.startswith("files of 0 runs deleted")
    assert swept.startswith("files of 1 runs deleted")


class _NoRows:
    async def runs_kept(self, ids: Any) -> set[ExecutionId]:
        del ids
        return set()
