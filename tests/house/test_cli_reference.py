"""The page of all commands says what the commands say."""

from tools.cli_reference import PAGE, page


def test_the_page_of_commands_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make reference`"
