"""Signatures of deliveries: what is right is taken, and whatever differs by one bit is not."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.errors import BadRequest, NotAllowed
from backend.core.signatures import (
    MAX_HEADER,
    SCHEMES,
    Checked,
    Encoding,
    Headers,
    Layout,
    Scheme,
    Signed,
    check,
    sign,
    signature,
)

SECRET: Final = "a secret of 32 characters, shared"
BODY: Final = b'{"order": 7}'
NOW: Final = 1_800_000_000

ALL: Final = {
    **SCHEMES,
    "custom": Scheme(
        header="x-acme",
        prefix="sig:",
        encoding=Encoding.BASE64,
        algorithm="sha512",
        signed=Signed.DOTTED,
        timestamp_header="x-acme-time",
    ),
}
TIMED: Final = [name for name, scheme in ALL.items() if scheme.is_timed]


def signed(scheme: Scheme, body: bytes = BODY, at: int = NOW, secret: str = SECRET) -> Headers:
    made = sign(scheme, secret, body, timestamp=at, id_="msg_1")
    return {name: [value] for name, value in made.items()}


def is_right(scheme: Scheme, headers: Headers, body: bytes = BODY, now_s: float = NOW) -> bool:
    try:
        found = check(scheme, SECRET, headers, body, now_s=now_s)
    except NotAllowed:
        return False
    assert isinstance(found, Checked)
    return True


#: As their senders document them, or made by openssl from what those document.
VECTORS: Final = [
    (
        "github",
        "It's a Secret to Everybody",
        b"Hello, World!",
        {
            "x-hub-signature-256": "sha256="
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
    ),
    (
        "slack",
        "a slack secret",
        b'{"type":"event_callback"}',
        {
            "x-slack-signature": "v0="
            "d55f8cd5202e01f60286e78c02baa5e217113504efe3c54f9e3dc0e921a3b87f",
            "x-slack-request-timestamp": str(NOW),
        },
    ),
    (
        "stripe",
        "a stripe secret",
        b'{"id":"evt_1"}',
        {
            "stripe-signature": f"t={NOW},v0=0,v1="
            "098af41d0beeddca12ea3f979c074ab0efaf635a49799af4c3eb1f035935857d"
        },
    ),
    (
        "shopify",
        "a shop secret",
        b'{"id":7}',
        {"x-shopify-hmac-sha256": "q1IWTxxBw6EWy7Pcr5gAPsFqsGLpQx7Xuf0X0GS/CKQ="},
    ),
    (
        "standard",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b'{"test": 2432232314}',
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
    ),
]


@pytest.mark.parametrize(("name", "secret", "body", "sent"), VECTORS, ids=[v[0] for v in VECTORS])
def test_it_agrees_with_what_the_senders_document(
    name: str, secret: str, body: bytes, sent: dict[str, str]
) -> None:
    headers = {header: [value] for header, value in sent.items()}
    now = int(sent.get("x-slack-request-timestamp") or sent.get("webhook-timestamp") or str(NOW))

    check(SCHEMES[name], secret, headers, body, now_s=now)


@pytest.mark.parametrize("name", ALL)
def test_what_is_signed_is_taken(name: str) -> None:
    assert is_right(ALL[name], signed(ALL[name]))


@pytest.mark.parametrize("name", ALL)
def test_no_bit_of_the_body_may_differ(name: str) -> None:
    headers = signed(ALL[name])

    for place in range(len(BODY)):
        for bit in range(8):
            changed = bytearray(BODY)
            changed[place] ^= 1 << bit
            assert not is_right(ALL[name], headers, bytes(changed)), (place, bit)
    assert not is_right(ALL[name], headers, b"")
    assert not is_right(ALL[name], headers, BODY + b" ")


@pytest.mark.parametrize("name", ALL)
def test_no_character_of_a_header_may_differ(name: str) -> None:
    headers = signed(ALL[name])

    for header, place, character in changes(headers):
        value = headers[header][0]
        other = value[:place] + character + value[place + 1 :]
        changed = {**headers, header: [other]}
        assert not is_right(ALL[name], changed), (header, other)


def changes(headers: Headers) -> Iterator[tuple[str, int, str]]:
    for header, [value] in headers.items():
        for place, before in enumerate(value):
            for character in ("0", "1", "A", "=", ",", " ", "\x00"):
                # Base64 has spare bits in its last digit; another digit is another text all the same.
                if character != before:
                    yield header, place, character


@pytest.mark.parametrize("name", ALL)
def test_each_header_must_be_there_once(name: str) -> None:
    headers = signed(ALL[name])

    for header in headers:
        without = {key: value for key, value in headers.items() if key != header}
        assert not is_right(ALL[name], without), header
        with pytest.raises(BadRequest, match="more than once"):
            is_right(ALL[name], {**headers, header: [headers[header][0]] * 2})


@pytest.mark.parametrize("name", ALL)
def test_another_secret_signs_nothing_and_no_secret_checks_nothing(name: str) -> None:
    assert not is_right(ALL[name], signed(ALL[name], secret=SECRET + "x"))
    with pytest.raises(NotAllowed, match="no secret"):
        check(ALL[name], "", signed(ALL[name], secret=""), BODY, now_s=NOW)


@pytest.mark.parametrize("name", TIMED)
def test_a_signature_is_taken_for_five_minutes_on_either_side(name: str) -> None:
    scheme = ALL[name]

    for away in (-300, -1, 0, 299, 300):
        assert is_right(scheme, signed(scheme, at=NOW + away)), away
    for away in (-301, 301, -86_400, 10**9):
        assert not is_right(scheme, signed(scheme, at=NOW + away)), away
    assert not is_right(replace(scheme, tolerance_s=10), signed(scheme, at=NOW - 11))


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    "time", ["", "-1", "+1", "1.0", "1e9", " 1", "1 ", "0x1", "9" * 13, "١٢٣", "1\n", "nan"]
)
def test_a_time_is_a_plain_number(name: str, time: str) -> None:
    scheme = ALL[name]
    headers = dict(signed(scheme))
    if scheme.layout is Layout.PAIRS:
        value = headers[scheme.header][0]
        headers[scheme.header] = [f"t={time}," + value.partition(",")[2]]
    else:
        headers[scheme.timestamp_header] = [time]

    assert not is_right(scheme, headers)


def test_one_of_several_signatures_is_enough_while_a_secret_is_changed() -> None:
    stripe, standard = ALL["stripe"], ALL["standard"]
    [right] = signed(stripe)["stripe-signature"]
    time, made = right.split(",")

    assert is_right(stripe, {"stripe-signature": [f"{time},v1=00,{made}"]})
    assert is_right(stripe, {"stripe-signature": [f"{time},v0=00,{made},v1=00"]})
    assert not is_right(stripe, {"stripe-signature": [f"{time},{made.replace('v1', 'v0')}"]})
    assert not is_right(stripe, {"stripe-signature": [f"{time},{time},{made}"]})
    assert not is_right(stripe, {"stripe-signature": [f"{time},{'v1=00,' * 10}{made}"]})
    headers = signed(standard)
    [value] = headers["webhook-signature"]
    assert is_right(standard, {**headers, "webhook-signature": ["v1a,x " + value]})
    assert not is_right(standard, {**headers, "webhook-id": ["msg_2"]})


def test_what_was_signed_is_known_by_its_digest_however_it_is_written() -> None:
    """Else one more signature in the header would make another delivery of it."""
    stripe = ALL["stripe"]
    [right] = signed(stripe)["stripe-signature"]

    digests = {
        check(stripe, SECRET, {"stripe-signature": [value]}, BODY, now_s=NOW).digest
        for value in (right, right + ",v1=00", right + ",v0=1", right.replace(",", ", "))
    }

    assert len(digests) == 1
    later = signed(stripe, at=NOW + 1)
    assert check(stripe, SECRET, later, BODY, now_s=NOW).digest not in digests


texts = st.text(max_size=40) | st.text(alphabet="tv01=,. abc\x00é", max_size=60)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(ALL)), values=st.lists(texts, max_size=4), body=st.binary())
def test_no_header_of_any_kind_gets_past_or_raises_anything_else(
    name: str, values: list[str], body: bytes
) -> None:
    scheme = ALL[name]
    headers = {
        header: [value]
        for header, value in zip(
            filter(None, (scheme.header, scheme.timestamp_header, scheme.id_header)),
            values,
            strict=False,
        )
    }

    assert not is_right(scheme, headers, body)


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(ALL)), body=st.binary(max_size=200), at=st.integers(0, 10**12 - 1)
)
def test_what_anybody_signs_is_taken_at_that_time(name: str, body: bytes, at: int) -> None:
    assert is_right(ALL[name], signed(ALL[name], body, at), body, now_s=at)


def test_a_header_beyond_its_limit_is_not_read() -> None:
    stripe = ALL["stripe"]
    [right] = signed(stripe)[stripe.header]

    assert is_right(stripe, {stripe.header: [right + ",v0=" + "x" * 100]})
    assert not is_right(stripe, {stripe.header: [right + ",v0=" + "x" * MAX_HEADER]})


@pytest.mark.parametrize(
    "time",
    [
        "nan",
        "+1800000000",
        "1_800_000_000",
        "".join(chr(0xFF10 + int(digit)) for digit in "1800000000"),
    ],
)
def test_a_time_that_is_no_number_is_refused_though_it_is_signed(time: str) -> None:
    slack = ALL["slack"]
    made = slack.prefix + signature(slack, SECRET, f"v0:{time}:".encode() + BODY)

    assert not is_right(slack, {slack.header: [made], slack.timestamp_header: [time]})


def test_a_standard_secret_that_is_no_base64_is_taken_as_it_is() -> None:
    secret = "whsec_" + "not base64!"
    headers = signed(ALL["standard"], secret=secret)

    check(ALL["standard"], secret, headers, BODY, now_s=NOW)
