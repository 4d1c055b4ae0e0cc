"""`agpt blocks` shows what there is; `agpt new-block` writes a package, or says why not."""

import ast
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import discovery
from backend.cli import main
from backend.core.errors import BadRequest
from backend.discovery import load_catalog
from backend.sdk.scaffold import MAX_NAME_LENGTH, names_of, package_files
from tests.house.source import ROOT

BLOCK_ID = "0b0f7c58-6a7e-4c2c-a0a5-4b9d6c6f3e10"


def agpt(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


class TestBlocks:
    def test_the_list_has_each_block_that_a_builder_may_offer(self) -> None:
        printed = agpt("blocks", "list").stdout

        names = [line.split()[0] for line in printed.splitlines()]
        assert names == [spec.name for spec in load_catalog().listed()]

    def test_the_list_for_programs_is_one_object(self) -> None:
        listed = json.loads(agpt("blocks", "list", "--json").stdout)

        [store] = [block for block in listed["blocks"] if block["name"] == "StoreValueBlock"]
        assert store["effect"] == "pure"
        assert store["categories"] == ["BASIC"]
        assert listed["broken_block_packages"] == {}

    def test_packages_that_could_not_be_loaded_stand_at_the_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(discovery, "broken", lambda: {"theirs (their)": "OSError: no"})

        listed = agpt("blocks", "list")

        assert listed.stdout.splitlines()[-1] == "not loaded: theirs (their): OSError: no"
        assert listed.exit_code == 0

    @pytest.mark.parametrize(
        "name",
        ["FillTextTemplateBlock", "FillTextTemplate", "db7d8f02-2f44-4c55-ab7a-eae0941f0c30"],
    )
    def test_a_block_is_found_by_name_and_by_id(self, name: str) -> None:
        shown = agpt("blocks", "show", name)

        assert shown.stdout.startswith("FillTextTemplateBlock\n")
        assert "db7d8f02-2f44-4c55-ab7a-eae0941f0c30" in shown.stdout

    def test_a_block_is_shown_with_pins_effect_and_examples(self) -> None:
        lines = agpt("blocks", "show", "SendWebRequest").stdout.splitlines()

        assert (
            "effect      by method: idempotent for DELETE, PUT; read for GET, HEAD, OPTIONS; else keyed"
            in lines
        )
        assert "  url          text, required. The address." in lines
        assert "  headers      object of text, optional. Headers to send." in lines
        assert "    fails: switch json_format off" in lines

    def test_a_block_for_programs_is_the_wire_form_and_more(self) -> None:
        shown = json.loads(agpt("blocks", "show", "SendWebRequest", "--json").stdout)

        assert shown["inputSchema"]["required"] == ["url"]
        assert (shown["built"], shown["effect"]["otherwise"]) == (True, "keyed")
        assert shown["examples"][0]["error"] == "switch json_format off"

    def test_a_block_that_is_only_known_says_so(self) -> None:
        shown = agpt("blocks", "show", "TwitterPostTweetBlock").stdout

        assert "not built   an agent may hold it, but cannot run with it here" in shown

    def test_an_unknown_block_gets_a_sentence_with_likely_names(self) -> None:
        shown = agpt("blocks", "show", "filltexttemplat")

        assert shown.exit_code == 1
        assert shown.stderr.startswith(
            "agpt: There is no block 'filltexttemplat'. Did you mean FillTextTemplateBlock"
        )
        assert shown.stderr.endswith("? `agpt blocks list` shows all.\n")


@pytest.mark.parametrize(
    ("text", "block", "distribution"),
    [
        ("shout-words", "ShoutWordsBlock", "agpt-shout-words"),
        ("shout_words", "ShoutWordsBlock", "agpt-shout-words"),
        ("Shout Words", "ShoutWordsBlock", "agpt-shout-words"),
        ("ShoutWordsBlock", "ShoutWordsBlock", "agpt-shout-words"),
        ("shout-words-block", "ShoutWordsBlock", "agpt-shout-words"),
        ("agpt-shout-words", "ShoutWordsBlock", "agpt-shout-words"),
        ("class", "ClassBlock", "agpt-class"),
        ("readRSSFeed", "ReadRssFeedBlock", "agpt-read-rss-feed"),
        ("sha256", "Sha256Block", "agpt-sha256"),
        ("x", "XBlock", "agpt-x"),
    ],
)
def test_a_name_is_read_in_all_its_spellings(text: str, block: str, distribution: str) -> None:
    names = names_of(text)

    assert (names.block, names.distribution) == (block, distribution)
    assert names.module == distribution.replace("-", "_")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "use the letters a to z"),
        ("../up", "use the letters a to z"),
        ("-x", "use the letters a to z"),
        ("a--b", "use the letters a to z"),
        ("wörter", "use the letters a to z"),
        ("words\n", "use the letters a to z"),
        ("9lives", "it begins with a digit"),
        ("agpt-9", "it begins with a digit"),
        ("Block", "says nothing about the block"),
        ("agpt-block", "says nothing about the block"),
        ("a" * (MAX_NAME_LENGTH + 1), "at most 60 characters"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        names_of(text)


def test_every_file_of_a_new_package_can_be_read() -> None:
    files = package_files(names_of("shout-words"), BLOCK_ID)

    python = {path: ast.parse(text) for path, text in files.items() if path.endswith(".py")}
    nodes = json.loads(files["agent.json"])["nodes"]
    assert all(ast.get_docstring(tree) for tree in python.values())
    assert [node["block_id"] for node in nodes][1] == BLOCK_ID
    assert not any("$" in text for text in files.values())


class TestNewBlock:
    @pytest.mark.slow
    def test_its_tests_pass_at_once(self, tmp_path: Path) -> None:
        written = agpt("new-block", "shout-words", "--dir", str(tmp_path))
        assert written.exit_code == 0, written.output
        folder = tmp_path / "agpt-shout-words"

        tested = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
            cwd=tmp_path,
            env={"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert "2 passed" in tested.stdout, tested.stdout + tested.stderr
        assert tested.returncode == 0

    def test_each_block_has_an_id_of_its_own(self, tmp_path: Path) -> None:
        ids = set()
        for name in ("one", "two"):
            agpt("new-block", name, "--dir", str(tmp_path))
            agent = json.loads((tmp_path / f"agpt-{name}" / "agent.json").read_text())
            ids.add(agent["nodes"][1]["block_id"])

        assert [uuid.UUID(each).version for each in ids] == [4, 4]

    def test_what_is_there_is_never_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "agpt-shout-words").mkdir()

        written = agpt("new-block", "shout-words", "--dir", str(tmp_path))

        assert (written.exit_code, written.stdout) == (1, "")
        assert "is there already; nothing was written" in written.stderr
        assert [*tmp_path.rglob("*")] == [tmp_path / "agpt-shout-words"]

    def test_a_block_that_exists_cannot_be_written_again(self, tmp_path: Path) -> None:
        written = agpt("new-block", "fill-text-template", "--dir", str(tmp_path))

        assert written.exit_code == 1
        assert "There is a block FillTextTemplateBlock already" in written.stderr
        assert [*tmp_path.iterdir()] == []

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["9lives"], "it begins with a digit"),
            (["shout", "--dir", "no-such-folder"], "'no-such-folder' does not exist"),
            ([], "Missing argument 'NAME'"),
        ],
    )
    def test_a_wrong_command_gets_its_sentence(
        self, arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        written = agpt("new-block", *arguments)

        assert written.exit_code == 2
        assert reason in " ".join(written.stderr.split())
        assert [*tmp_path.iterdir()] == []

    def test_a_folder_that_cannot_be_filled_is_not_left_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: Path, text: str, *, encoding: str) -> int:
            raise OSError(28, f"No space left for {len(text)} characters of {encoding}")

        monkeypatch.setattr(Path, "write_text", full)

        written = agpt("new-block", "shout-words", "--dir", str(tmp_path))

        assert written.exit_code == 1
        assert "cannot be written: No space left" in written.stderr
        assert [*tmp_path.iterdir()] == []
