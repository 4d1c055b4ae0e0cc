"""Large values in a bucket: whole, or lost; and never called lost because nobody answers."""

from pathlib import Path

import pytest

from backend.adapters.database_place import Place
from backend.adapters.files.bucket import Bucket, Content
from backend.adapters.storage import open_storage
from backend.adapters.storage.bucket_values import BucketValues
from backend.adapters.storage.doctor import examine
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.value_files import digest_of
from backend.core.errors import Unavailable, ValueLost
from backend.ports.doctor import Rule
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
