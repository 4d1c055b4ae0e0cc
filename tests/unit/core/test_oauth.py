"""Proofs of OAuth 2, and where browsers are sent."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.oauth import is_challenge, proves, with_query

#: The example of RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_standard_s_own_example_is_proven() -> None:
    assert is_challenge(CHALLENGE)
    assert proves(VERIFIER, CHALLENGE)


@pytest.mark.parametrize(
    ("verifier", "challenge"),
    [
        (VERIFIER[:-1], CHALLENGE),
        (VERIFIER + "x", CHALLENGE),
        (CHALLENGE, CHALLENGE),
        ("", ""),
        (VERIFIER, ""),
        ("x" * 129, CHALLENGE),
        ("ü" * 43, CHALLENGE),
    ],
)
def test_nothing_else_is(verifier: str, challenge: str) -> None:
    assert not proves(verifier, challenge)


@pytest.mark.parametrize(
    "uri", ["https://a.example", "https://a.example/b?c=d&e", "my.app:/b", "http://localhost:7/?"]
)
@given(code=st.text(max_size=50), state=st.text(max_size=200))
def test_whatever_an_app_gives_to_be_sent_back_stays_in_the_query(
    uri: str, code: str, state: str
) -> None:
    made = with_query(uri, {"code": code, "state": state})

    before, after = urlsplit(uri), urlsplit(made)
    assert made.startswith(uri)
    assert (after[:3], after.fragment) == (before[:3], "")
    pairs = parse_qsl(after.query, keep_blank_values=True)
    assert pairs[-2:] == [("code", code), ("state", state)]
    assert len(pairs) == 2 + len(parse_qsl(before.query, keep_blank_values=True))
