"""About two hundred addresses, and what the gate says to each."""

import asyncio

import pytest

from backend.adapters.web import Gate, TrustList, refusal
from backend.adapters.web.addresses import is_near
from backend.core.errors import BadSetting, WebFailed, WebRefused, WebTimedOut

BLOCKED_V4 = [
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "10.0.0.0",
    "10.0.0.1",
    "10.1.2.3",
    "10.255.255.255",
    "100.64.0.0",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.0.1.1",
    "127.1.2.3",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.16.0.1",
    "172.17.0.1",
    "172.20.10.1",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.0",
    "192.0.2.1",
    "192.0.2.255",
    "192.88.99.0",
    "192.88.99.1",
    "192.88.99.255",
    "192.168.0.0",
    "192.168.0.1",
    "192.168.1.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.0",
    "198.51.100.7",
    "198.51.100.255",
    "203.0.113.0",
    "203.0.113.9",
    "203.0.113.255",
    "224.0.0.0",
    "224.0.0.1",
    "224.0.0.251",
    "239.255.255.250",
    "239.255.255.255",
    "240.0.0.0",
    "240.0.0.1",
    "250.1.2.3",
    "255.255.255.254",
    "255.255.255.255",
]
BLOCKED_V6 = [
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "::ffff:0.0.0.0",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:172.16.0.1",
    "::ffff:192.168.1.1",
    "::ffff:100.64.0.1",
    "::ffff:192.0.0.8",
    "::ffff:198.18.0.1",
    "::ffff:192.0.2.1",
    "::ffff:224.0.0.1",
    "::ffff:255.255.255.255",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::192.168.0.1",
    "64:ff9b::100.64.0.1",
    "64:ff9b::0.0.0.0",
    "64:ff9b:1::1",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1:ffff:ffff:ffff:8.8.8.8",
    "64:ff9b:1:7f00:0:100::",
    "64:ff9b:0:1::8.8.8.8",
    "100::",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:7f00:1::f7f7:f7f7",
    "2001:0:808:808::80ff:fffe",
    "2001:0:808:808::5601:5601",
    "2001:1::1",
    "2001:1::2",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:1ff:ffff::1",
    "2001:db8::",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "2002:6440:1::1",
    "2002:c000:201::1",
    "2002:e000:1::1",
    "2002::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "8000::1",
    "c000::1",
    "e000::1",
    "f000::1",
    "f800::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fdff::1",
    "fe00::1",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff00::1",
    "ff01::1",
    "ff02::1",
    "ff02::fb",
    "ff0e::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1",
]
NO_ADDRESSES = [
    "localhost",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "0x7f000001",
    "127.0.0.01",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "[::1]",
    "1.2.3.4/32",
    "::g",
    "12345::",
]
ALLOWED = [
    "1.0.0.1",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "140.82.112.3",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2000::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:db7:ffff::1",
    "2001:db9::1",
    "2003::1",
    "2400:cb00::1",
    "2606:4700:4700::1111",
    "2620:fe::fe",
    "2a00:1450:4001::200e",
    "2c0f:fb50::1",
    "3ffe::1",
    "3fff:1000::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2001:0:808:808::f7f7:f7f7",
    "2606:4700::5efe:808:808",
]


@pytest.mark.parametrize("address", BLOCKED_V4 + BLOCKED_V6 + NO_ADDRESSES)
def test_no_address_that_is_not_global_unicast_passes(address: str) -> None:
    assert refusal(address) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_global_unicast_passes(address: str) -> None:
    assert refusal(address) is None


def test_the_table_has_about_two_hundred_rows() -> None:
    rows = BLOCKED_V4 + BLOCKED_V6 + NO_ADDRESSES + ALLOWED

    assert len(rows) == len(set(rows)) >= 200


@pytest.mark.parametrize(
    "host",
    [
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "0x7f000001",
        "1.2.3.4.",
        "a.0x1",
        "7",
        "fe80::1%1",
        "a_b",
        "a b",
        "a..b",
        ".a",
        "a/b",
        "a@b",
        "",
        "ä",
        "a\n",
        "a" * 300,
    ],
)
async def test_a_host_with_two_readings_is_refused_before_it_is_looked_up(host: str) -> None:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    with pytest.raises(WebRefused):
        await Gate(resolver=never).addresses(host, 80)


async def test_one_private_address_spoils_a_mixed_answer() -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    with pytest.raises(WebRefused):
        await Gate(resolver=mixed).addresses("a.example", 80)


async def test_trust_by_name_does_not_reach_link_local() -> None:
    async def metadata(host: str, port: int) -> list[str]:
        return ["169.254.169.254"]

    gate = Gate(resolver=metadata)

    with pytest.raises(WebRefused):
        await gate.addresses("a.example", 80, trusted=True)
    assert await gate.addresses("169.254.169.254", 80, trusted=True) == ["169.254.169.254"]


async def test_a_silent_name_service_ends_at_the_limit_and_an_unknown_name_is_a_failure() -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def unknown(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(WebTimedOut):
        await Gate(resolver=silent, resolve_limit_s=0.01).addresses("a.example", 80)
    with pytest.raises(WebFailed):
        await Gate(resolver=unknown).addresses("a.example", 80)


@pytest.mark.parametrize(
    ("entry", "place", "covered"),
    [
        ("http://localhost:11434", ("http", "localhost", 11434), True),
        ("http://localhost:11434/", ("http", "localhost", 11434), True),
        ("http://localhost:11434", ("https", "localhost", 11434), False),
        ("http://localhost:11434", ("http", "localhost", 11435), False),
        ("localhost:8080", ("https", "localhost", 8080), True),
        ("localhost:8080", ("http", "localhost", 80), False),
        ("10.0.0.5", ("http", "10.0.0.5", 1234), True),
        ("10.0.0.5", ("http", "10.0.0.50", 1234), False),
        ("https://X.internal", ("https", "x.internal", 443), True),
        ("https://x.internal", ("https", "x.internal", 8443), False),
        ("x.internal", ("https", "a.x.internal", 443), False),
        ("[::1]:80", ("http", "::1", 80), True),
        ("::1", ("http", "::1", 99), True),
    ],
)
def test_an_entry_covers_exactly_what_it_names(
    entry: str, place: tuple[str, str, int], *, covered: bool
) -> None:
    assert TrustList.of([entry]).covers(*place) is covered


@pytest.mark.parametrize(
    "entry", ["*.internal", "http://a/b", "ftp://a", "a:0", "a:70000", "a b", "u@a"]
)
def test_an_entry_that_cannot_be_understood_is_a_bad_setting(entry: str) -> None:
    with pytest.raises(BadSetting):
        TrustList.of([entry])


def test_near_is_private_and_loopback_only() -> None:
    assert all(map(is_near, ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "::ffff:127.0.0.1"]))
    assert not any(map(is_near, ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "x"]))
