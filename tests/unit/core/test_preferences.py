"""What somebody wants to be told, and the signed word that ends it."""

import base64

import pytest

from backend.core.ids import UserId
from backend.core.preferences import (
    Preferences,
    is_address,
    unsubscribe_token,
    unsubscribing,
)

ANN = UserId("ann")
KEY = "a key"


def test_a_token_tells_whose_it_is_only_to_who_has_its_key() -> None:
    token = unsubscribe_token(ANN, KEY)

    assert unsubscribing(token, KEY) == ANN
    assert unsubscribing(token.rstrip("="), KEY) == ANN
    assert unsubscribing(token, "another key") is None
    assert unsubscribing(token, "") is None


def test_a_token_has_the_contracts_form() -> None:
    user_id, _, signature = base64.urlsafe_b64decode(unsubscribe_token(ANN, KEY)).partition(b":")

    assert user_id == b"ann"
    assert len(bytes.fromhex(signature.decode())) == 32


def test_a_user_id_with_colons_is_still_one() -> None:
    odd = UserId("a:b:größe")

    assert unsubscribing(unsubscribe_token(odd, KEY), KEY) == odd


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "=",
        "é",
        "ann",
        base64.urlsafe_b64encode(b"ann").decode(),
        base64.urlsafe_b64encode(b"ann:").decode(),
        base64.urlsafe_b64encode(b"ann:" + b"0" * 64).decode(),
        base64.urlsafe_b64encode(b"\xff:\xff").decode(),
        unsubscribe_token(ANN, ""),
        unsubscribe_token(ANN, KEY) + "A",
        unsubscribe_token(ANN, KEY)[4:],
        "A" * 100_000,
    ],
)
def test_anything_else_is_nobodys(token: str) -> None:
    assert unsubscribing(token, KEY) is None


@pytest.mark.parametrize("text", ["ann@example.com", "a.b+c@x", "größe@bücher.example"])
def test_an_address(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "ann", "@x", "ann@", "a b@x", "a@b@c", "a@x\nBcc: b@x", "<a@x>", "a@.x", "a@x" * 90],
)
def test_no_address(text: str) -> None:
    assert not is_address(text)


def test_what_was_never_said_is_wanted_unless_nothing_is() -> None:
    said = Preferences(user_id=ANN, email="a@x", said={"AGENT_RUN": False})
    none = Preferences(user_id=ANN, email="a@x", daily_limit=0)

    assert (said.wants("AGENT_RUN"), said.wants("LOW_BALANCE")) == (False, True)
    assert not none.wants("LOW_BALANCE")
