"""A link in a document leads somewhere, and what a document names is there."""

import re

from tests.docs.markdown import blocks, documents, prose
from tests.house.source import ROOT

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z-]+)\b")
_ELSEWHERE = ("http://", "https://", "mailto:")


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    dead = [
        f"{name}: {target}"
        for name, text in documents().items()
        for target in _LINK.findall(prose(text))
        if not target.startswith(_ELSEWHERE) and not _is_there(name, target)
    ]

    assert dead == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in documents():
            continue
        seen.add(name)
        waiting += [
            _resolved(name, target)
            for target in _LINK.findall(prose(documents()[name]))
            if not target.startswith(_ELSEWHERE)
        ]

    # A note for the next release is found by its folder.
    forgotten = {name for name in documents() if not re.match(r"changes/\d", name)} - seen
    assert forgotten == set()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    unknown = {
        f"{name}: make {target}"
        for name, text in documents().items()
        for part in (*re.findall(r"`([^`\n]+)`", prose(text)), *(b.text for b in blocks(text)))
        for target in _MAKE.findall(part)
        if target not in targets
    }

    assert unknown == set()


def _resolved(name: str, target: str) -> str:
    path = (ROOT / name).parent / target.partition("#")[0]
    return path.resolve().relative_to(ROOT).as_posix()


def _is_there(name: str, target: str) -> bool:
    file, _, anchor = target.partition("#")
    path = (ROOT / name).parent / file if file else ROOT / name
    if not path.exists():
        return False
    return not anchor or anchor in _anchors(path.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(text))
    }
