"""The commands of the page about moving, typed into a shell in an empty home."""

import pytest

from tests.databases import emptied
from tests.docs.test_readme import assert_session, commands_and_outputs, home
from tests.services import require_service

__all__ = ["home"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.embedded("it moves out of the file"),
]

PAGE = "docs/howto/move-to-postgresql.md"


def test_the_commands_print_what_the_page_shows(home: dict[str, str]) -> None:
    address = emptied(require_service("postgres"))

    assert_session(commands_and_outputs(PAGE), {**home, "POSTGRES_URL": address})
