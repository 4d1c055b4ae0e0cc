"""The commands of the page about backups, typed into a shell in an empty home."""

import pytest

from tests.docs.test_readme import assert_session, commands_and_outputs, home

__all__ = ["home"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = "docs/howto/back-up-and-restore.md"


def test_the_commands_print_what_the_page_shows(home: dict[str, str]) -> None:
    assert_session(commands_and_outputs(PAGE), home)
