"""A door on loopback that is really open: however its address is written, nobody knocks."""

import pytest
from web_server import Maker, Server, answer_of

from backend.core.errors import WebFailed, WebRefused

#: Ways to write an address of this machine, or one that leads to it.
DISGUISES = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0177.0.0.1", "0177.1", "0x7f.0.0.1",
    "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0", "0.0.0.0", "0.1", "127.0.0.1.",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[fe80::1]", "[fc00::1]", "localhost", "LOCALHOST", "localhost.", "a.localhost",
    "\uff11\uff12\uff17.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "127.0.0.1%00.example", "127.0.0.1\t", "[::1%25lo]",
]  # fmt: skip


@pytest.mark.parametrize("host", DISGUISES)
async def test_an_address_of_this_machine_is_not_dialled_in_any_disguise(
    host: str, server: Server, make: Maker
) -> None:
    with pytest.raises((WebRefused, WebFailed)):  # some are no names that anybody knows
        await make().send("GET", f"http://{host}:{server.port}/")

    assert server.connections == 0


@pytest.mark.parametrize("host", DISGUISES)
async def test_a_redirect_to_this_machine_is_not_followed_in_any_disguise(
    host: str, server: Server, make: Maker
) -> None:
    """The first host is one that the operator trusts; the second is none."""
    server.answers["/"] = answer_of(b"", f"Location: http://{host}:1/", status=302)

    with pytest.raises((WebRefused, WebFailed)):
        await make(f"127.0.0.1:{server.port}").send("GET", server.url())

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["::1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"], ["0.0.0.0"]],
)
async def test_a_name_that_leads_here_is_not_dialled(
    answers: list[str], server: Server, make: Maker
) -> None:
    async def resolver(_host: str, _port: int) -> list[str]:
        return answers

    with pytest.raises(WebRefused):
        await make(resolver=resolver).send("GET", server.url(host="rebound.example"))

    assert server.connections == 0
