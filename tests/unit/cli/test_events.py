"""How `agpt test event` speaks with a webhook."""

import pytest

from backend.cli.events import send
from backend.core.errors import Unavailable


def test_an_address_at_which_nobody_answers_is_told_with_the_setting_that_moves_it() -> None:
    with pytest.raises(Unavailable, match=r"x does not answer.*PLATFORM_BASE"):
        send({"url": "http://127.0.0.1:1/x", "secret": "ab"}, {})


@pytest.mark.parametrize("url", ["nothing", "ftp://x", "http://", "http://a..b/"])
def test_what_is_no_address_does_not_answer(url: str) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        send({"url": url, "secret": "ab"}, {})
