"""The pages that are shipped, and what is found in them."""

from pathlib import Path

from backend.adapters.pages import FolderPages
from backend.core.page_search import PageIndex


async def test_the_pages_of_the_source_tree_are_found_and_searched() -> None:
    pages = await FolderPages().all()

    assert "howto/schedules.md" in pages
    assert not any(path.startswith("decisions/") for path in pages)
    index = PageIndex(pages)
    assert "howto/use-postgresql.md" in {
        one.path for one in index.search("PostgreSQL instead of SQLite", most=5)
    }
    assert index.search("budget for language models", most=1)[0].path in (
        "howto/budgets-and-usage.md",
        "howto/use-models.md",
    )


async def test_an_installation_without_pages_has_none(tmp_path: Path) -> None:
    assert await FolderPages(tmp_path / "nowhere").all() == {}
