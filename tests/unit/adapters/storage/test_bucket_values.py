"""Large values in a bucket: whole, or lost; and never called lost because nobody answers."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from backend.adapters.database_place import Place
from backend.adapters.files.bucket import Bucket, Content
from backend.adapters.files.bucket_files import BucketFiles
from backend.adapters.storage import open_storage
from backend.adapters.storage.bucket_values import BucketValues
from backend.adapters.storage.doctor import examine
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.tables import executions
from backend.adapters.storage.value_files import digest_of
from backend.core.errors import Unavailable, ValueLost
from backend.core.ids import ExecutionId
from backend.engine.file_sweep import sweep_files
from backend.ports.doctor import Rule
from backend.ports.files import NewFile
from backend.testing.storage import ANN, GRAPH, RUN, new_run
from tests.s3 import HASTY, S3, Gate

pytestmark = pytest.mark.slow

DATA = b'"' + b"x" * 1000 + b'"'
KEY = ("0197-run", digest_of(DATA))


class Counting(Bucket):
    """Counts what is written."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket._place, HASTY)
        self.puts: list[str] = []

    def put_now(self, name: str, content: Content) -> None:
        super().put_now(name, content)
        self.puts.append(name)


def test_values_come_back_as_they_were_written(s3: S3) -> None:
    values = BucketValues(s3.bucket())
    other = b"[1]"

    values.write({KEY: DATA, ("other", digest_of(other)): other})

    assert values.read(*KEY, len(DATA)) == DATA
    assert values.read("other", digest_of(other), 3) == other


def test_what_is_missing_or_damaged_is_lost(s3: S3) -> None:
    bucket = s3.bucket()
    values = BucketValues(bucket)

    with pytest.raises(ValueLost, match="is missing"):
        values.read(*KEY, len(DATA))
    bucket.put_now(f"{KEY[0]}/{KEY[1]}.value", DATA[:-1])
    with pytest.raises(ValueLost, match="is damaged"):
        values.read(*KEY, len(DATA))


def test_what_cannot_be_asked_for_is_not_lost(s3: S3) -> None:
    with Gate(s3.port) as gate:
        values = BucketValues(s3.bucket(endpoint=gate.endpoint, patience=HASTY))
        values.write({KEY: DATA})
        gate.cut()

        with pytest.raises(Unavailable):
            values.read(*KEY, len(DATA))
        with pytest.raises(Unavailable):
            values.write({("other", KEY[1]): DATA})
        gate.mend()

        assert values.read(*KEY, len(DATA)) == DATA
    gone = BucketValues(Bucket(s3.place(bucket="no-such-bucket"), HASTY))
    with pytest.raises(Unavailable, match="there is no bucket"):
        gone.read(*KEY, len(DATA))


def test_what_was_just_written_is_not_written_again_but_later_it_is(s3: S3) -> None:
    """Else the sweep, which leaves alone what is fresh, could take it from under its new row."""
    bucket, now_s = Counting(s3.bucket()), 1000.0
    values = BucketValues(bucket, now_s=lambda: now_s)

    values.write({KEY: DATA})
    now_s += 299
    values.write({KEY: DATA})
    assert len(bucket.puts) == 1
    now_s += 1
    values.write({KEY: DATA})

    assert len(bucket.puts) == 2


def test_a_write_that_failed_is_made_again(s3: S3) -> None:
    with Gate(s3.port) as gate:
        values = BucketValues(s3.bucket(endpoint=gate.endpoint, patience=HASTY))
        gate.cut()
        with pytest.raises(Unavailable):
            values.write({KEY: DATA})
        gate.mend()
        values.write({KEY: DATA})

        assert values.read(*KEY, len(DATA)) == DATA


async def test_the_doctor_finds_rows_whose_values_the_bucket_does_not_have(
    s3: S3, tmp_path: Path
) -> None:
    bucket = s3.bucket(patience=HASTY)
    values, path = BucketValues(bucket), tmp_path / "agpt.db"
    migrate(path)
    storage = open_storage(path, synchronous="OFF", large=values, inline_bytes=100)
    await storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await storage.of(ANN).add_graphs([GRAPH], now_us=1)
    await storage.submit(new_run(inputs={"a": "x" * 500}))
    await storage.close()

    def broken() -> list[str]:
        with examine(Place(path, values=values)) as records:
            return [one.row for one in records.broken(Rule.VALUES)]

    assert broken() == []
    [name] = [one.name for one in bucket.listed_now()]
    await bucket.delete([name])

    assert broken() == [f"run {RUN}"]
    assert not (tmp_path / "files").exists()


async def test_a_run_that_is_deleted_goes_with_its_values_and_its_files(
    s3: S3, tmp_path: Path
) -> None:
    bucket = s3.bucket()
    migrate(tmp_path / "agpt.db")
    storage = open_storage(tmp_path / "agpt.db", inline_bytes=100, large=BucketValues(bucket))
    files = BucketFiles(bucket, tmp_path / "files")
    await storage.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await storage.of(ANN).add_graphs([GRAPH], now_us=1)
    runs = [ExecutionId("0197-gone"), ExecutionId("0197-stays")]
    for run_id in runs:
        await storage.submit(new_run(run_id, inputs={"a": f"{run_id}{'x' * 1000}"}))
        await files.of(ANN).save(NewFile(run_id=run_id, name="a"), _pieces(b"content"))
    await storage.of(ANN).delete_execution(runs[0], now_us=2)
    ended = update(executions).values(status="TERMINATED", ended_us=2)
    await storage.database.write(lambda connection: connection.execute(ended))

    early = await sweep_files(files, storage)
    later = await sweep_files(files, storage, untouched_s=-60)

    await storage.close()
    assert early == "files of 0 runs deleted, 0 expired files"
    assert later == "files of 1 runs deleted, 0 expired files"
    left = [one.name async for one in bucket.listed()]
    assert len(left) == 3  # a value, a file, its facts
    assert {name.partition("/")[0] for name in left} == {runs[1]}


async def test_what_lay_in_the_folder_before_the_bucket_is_left_there(
    s3: S3, tmp_path: Path
) -> None:
    """Who sets FILES_URL and has not copied the files yet must not lose them a day later."""
    at_s = time.time() + 3 * 24 * 3600
    files = BucketFiles(s3.bucket(), tmp_path, now_s=lambda: at_s)
    for name in (KEY[0], "scratch-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x")

    await files.delete_expired()

    assert os.listdir(tmp_path) == [KEY[0]]  # noqa: PTH208


async def _pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece
