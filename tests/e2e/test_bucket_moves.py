"""Files in a bucket: backed up, put back and moved by a server that works; kills in the middle of it."""

import base64
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest

from backend.adapters.files.bucket import Bucket, BucketPlace
from backend.adapters.files.trees import BucketTree, FolderTree, Tree
from backend.adapters.moving.archive_reader import verify
from tests.e2e.conftest import StartServer
from tests.e2e.harness import until
from tests.e2e.running import ROOT
from tests.e2e.test_files import reading, upload
from tests.filled import fill
from tests.s3 import KEY, S3, SECRET
from tests.unit.adapters.moving.test_files_move import contents

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILES = 60
LARGE = 8_000_000


class Installation:
    """A data directory with rows, and a bucket."""

    def __init__(self, data: Path, settings: Mapping[str, str]) -> None:
        self.data = data
        self.settings = settings
        bucket, _, prefix = settings["FILES_URL"].removeprefix("s3://").partition("/")
        self.tree = BucketTree(
            Bucket(
                BucketPlace(
                    bucket=bucket,
                    prefix=prefix,
                    endpoint=settings["AWS_ENDPOINT_URL"],
                    region="us-east-1",
                    access_key_id=KEY,
                    secret_access_key=SECRET,
                )
            )
        )

    @property
    def address(self) -> str:
        return self.settings["FILES_URL"]

    def begun(self, *words: str, **settings: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "backend.cli", *words],
            cwd=ROOT,
            env={**os.environ, **self.settings, "AGPT_DATA_DIR": str(self.data), **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def agpt(self, *words: str, **settings: str) -> str:
        process = self.begun(*words, **settings)
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, out + errors
        return out


@pytest.fixture
def one(tmp_path: Path, s3: S3) -> Installation:
    made = Installation(tmp_path / "data", s3.environment())
    made.data.mkdir()
    fill(made.data / "agpt.db", 1)
    return made


def filled(tree: Tree) -> dict[str, bytes]:
    for number in range(FILES):
        put(tree, f"run-{number}/file", b"%d" % number)
    put(tree, "run-5/large", random.randbytes(LARGE))
    return contents(tree)


def put(tree: Tree, name: str, content: bytes) -> None:
    tree.put(name, BytesIO(content), len(content))


def killed(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_backup_of_a_bucket_that_was_killed_is_none(one: Installation, tmp_path: Path) -> None:
    expected = filled(one.tree)
    archive = tmp_path / "a.tar"
    process = one.begun("backup", str(archive))

    def has_begun() -> bool:
        parts = tmp_path.glob(".agpt-backup.*/archive.tar")
        return any(part.stat().st_size > 20_000 for part in parts)

    until(has_begun, what="the archive")
    killed(process)
    assert not archive.exists()

    one.agpt("backup", str(archive))

    assert verify(archive, lambda _: None).files == len(expected)
    assert not list(tmp_path.glob(".agpt-backup.*"))


def test_a_restore_into_a_bucket_that_was_killed_has_no_rows_and_is_gone_on_with(
    one: Installation, tmp_path: Path, s3: S3
) -> None:
    expected = filled(one.tree)
    archive = tmp_path / "a.tar"
    one.agpt("backup", str(archive))
    other = Installation(tmp_path / "other", s3.environment())

    process = other.begun("restore", str(archive))
    until(lambda: next(other.tree.entries(), None), what="the first file")
    killed(process)
    assert not (other.data / "agpt.db").exists()
    assert "as they were" in other.agpt("restore", str(archive))

    assert contents(other.tree) == expected
    assert [one.name for one in other.tree.bucket.listed_now() if "/" not in one.name] == []


@pytest.mark.parametrize("way", ["there", "back"])
def test_a_move_of_files_that_was_killed_changes_nothing_and_is_gone_on_with(
    one: Installation, way: str
) -> None:
    folder = FolderTree(one.data / "files")
    source, target = (folder, one.tree) if way == "there" else (one.tree, folder)
    address, before = (one.address, "") if way == "there" else ("folder", one.address)
    expected = filled(source)
    staged: Tree = one.tree if way == "there" else FolderTree(one.data / "moving-files")

    process = one.begun("files", "move", "--to", address, FILES_URL=before)
    until(lambda: next(staged.entries(), None), what="the first file")
    killed(process)
    assert contents(source) == expected
    if way == "back":
        assert contents(target) == {}
    said = one.agpt("files", "move", "--to", address, FILES_URL=before)

    assert contents(target) == contents(source) == expected
    assert ("set FILES_URL to s3://" if way == "there" else "unset FILES_URL") in said
    assert [left.name for left in one.tree.bucket.listed_now() if "/" not in left.name] == []


def test_a_server_goes_into_a_bucket_and_back_with_all_its_files(
    start_server: StartServer, s3: S3
) -> None:
    settings = s3.environment()
    address = settings.pop("FILES_URL")
    server = start_server(**settings)
    graph = server.rest.add(reading())
    text = base64.b64encode(random.randbytes(1_000_000)) + b"\nsecond\nthird"
    uri = upload(server, text)
    installation = Installation(server.data_dir, {**settings, "FILES_URL": address})

    moving = installation.begun("files", "move", "--to", address, FILES_URL="")
    assert moving.stderr is not None
    for line in moving.stderr:
        if "Stop the server now" in line:
            break
    late = upload(server, text + b"\nfourth")
    server.stop()
    out, errors = moving.communicate(timeout=60)
    assert (moving.returncode, "were copied to s3://" in out) == (0, True), out + errors
    FolderTree(server.data_dir / "files").root.rename(server.data_dir / "files.old")
    other = start_server(**settings, FILES_URL=address)

    runs = [other.rest.ended(graph, other.rest.start(graph, file=one)) for one in (uri, late)]
    assert [run["outputs"] for run in runs] == [{"text": ["second"]}] * 2
    other.stop()
    installation.agpt("doctor")
    installation.agpt("files", "move", "--to", "folder")
    last = start_server(**settings)
    run = last.rest.ended(graph, last.rest.start(graph, file=late))
    assert run["outputs"] == {"text": ["second"]}
