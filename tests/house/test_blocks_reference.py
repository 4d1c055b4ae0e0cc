"""The generated pages about the blocks say what the blocks say."""

from tools.blocks_reference import FOLDER, pages


def test_there_is_a_page_for_each_category_and_no_other() -> None:
    written = {path.name for path in FOLDER.glob("*.md")}

    assert written == set(pages()), "run `make reference`"


def test_the_pages_are_current() -> None:
    outdated = [
        name
        for name, text in pages().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]

    assert outdated == [], "run `make reference`"
