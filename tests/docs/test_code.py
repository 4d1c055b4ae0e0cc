"""Code in the documents runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import blocks, documents
from tests.house.source import ROOT, texts


def test_every_block_of_json_can_be_read() -> None:
    broken = [
        f"{name}: {block.text[:40]}"
        for name, text in documents().items()
        for block in blocks(text)
        if block.language == "json" and not _is_json(block.text)
    ]

    assert broken == []


def test_every_file_of_json_in_the_documents_can_be_read() -> None:
    broken = [
        name
        for name, text in texts().items()
        if name.startswith("docs/") and name.endswith(".json") and not _is_json(text)
    ]

    assert broken == []


@pytest.mark.slow
def test_every_block_of_python_runs(tmp_path: Path) -> None:
    failed = {
        f"{name}: {block.text[:40]}": problem
        for name, text in documents().items()
        for block in blocks(text)
        if block.language == "python" and (problem := _problem_of(block.text, tmp_path))
    }

    assert failed == {}


def _problem_of(code: str, folder: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stderr if ended.returncode else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
