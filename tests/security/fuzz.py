"""Nonsense, made from a seed: bodies, frames, graphs, cron expressions and templates."""

import json
import time
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from backend.core.cron import Cron, Dialect, zone
from backend.core.errors import AgentServerError, BadRequest
from backend.sdk.templates import fill
from tests.contract.owners import MAKERS, Owner
from tests.contract.ownership import NOBODYS
from tests.contract.rest_server import ANN, INPUT, OUTPUT, STORE, RestServer, sample_graph
from tests.contract.test_wrong_everywhere import SENT
from tests.contract.test_wrong_requests import UNKNOWN
from tests.unit.api.ws.ws_server import WSServer

#: What says honestly that it cannot be done, or not yet.
HONEST: Final = {503, 504}
#: Nothing that was tried may take longer: it would hold what others need.
LONGEST_S: Final = 5.0

_TEXTS: Final = [
    "", "a", "\0", "\u202e", "\ud83d\ude00", "é" * 50, "x" * 5_000, "../..", "{{a}}", "null", "NaN",
    "-1", "1e999", "0x10", "' OR 1=1 --", "$(id)", "http://127.0.0.1/", "workspace://x", UNKNOWN,
    INPUT, OUTPUT, STORE, "input_1", "value", "result", "a_$_0", "a_#_b", "a_@_c", "a_$_999999999",
]  # fmt: skip
_NUMBERS: Final = [0, -1, 1, 2**31, -(2**63), 2**64, 1.5, -0.0, 1e308, 10**40]


def anything(random: Random, depth: int = 0) -> Any:
    """Return some JSON value."""
    match random.randrange(8 if depth < 4 else 5):
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2:
            return random.choice(_NUMBERS)
        case 3 | 4:
            return random.choice(_TEXTS)
        case 5:
            return [anything(random, depth + 1) for _ in range(random.randrange(4))]
        case _:
            return {
                random.choice(_TEXTS): anything(random, depth + 1)
                for _ in range(random.randrange(4))
            }


def spoiled(random: Random, value: Any) -> Any:
    """Return *value* with some of it left out, doubled, renamed, exchanged or made another type."""
    spoilt = {"": deepcopy(value)}
    for _ in range(random.randrange(1, 4)):
        place, key = _some_place(random, spoilt)
        match random.randrange(5):
            case 0:
                del place[key]
            case 1 if isinstance(place, list):
                place.append(deepcopy(place[key]))
            case 2 if isinstance(place, dict):
                place[random.choice(_TEXTS)] = deepcopy(place[key])
            case _:
                place[key] = anything(random)
        spoilt.setdefault("", None)
    return spoilt[""]


def _some_place(random: Random, root: Any) -> tuple[Any, Any]:
    places = list(_places(root))
    return random.choice(places)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list) and value[key]:
            yield from _places(value[key])


def as_bytes(random: Random, value: Any) -> bytes:
    """Return *value* as JSON, or, now and then, as something that nearly is."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    body = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.1 and body:
        at = random.randrange(len(body))
        body = body[:at] + bytes([random.randrange(256)]) + body[at + random.randrange(3) :]
    return body


async def body(random: Random, owner: Owner) -> None:
    """Send a spoiled body to some route."""
    method, path, whole = random.choice(SENT)
    ids = {**NOBODYS, **{kind: await owner.thing(kind) for kind in MAKERS}}
    text = json.dumps(whole)
    for name, id_ in ids.items():
        text = text.replace(f"{{{name}}}", id_)
    sent = as_bytes(random, spoiled(random, json.loads(text)))
    started = time.monotonic()
    response = await owner.server.ask(
        method,
        path.format_map(_Known(ids)),
        content=sent,
        user=owner.user,
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code < 500 or response.status_code in HONEST, (path, sent, response.text)
    assert time.monotonic() - started < LONGEST_S, (path, sent)


class _Known(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return UNKNOWN


async def graph(random: Random, server: RestServer) -> None:
    """Save a spoiled graph, and start it when that was possible."""
    sent = spoiled(random, sample_graph())
    response = await server.ask(
        "POST",
        "/api/graphs",
        content=as_bytes(random, {"graph": sent}),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code < 500, (sent, response.text)
    if response.status_code == 200:
        saved = response.json()
        for path in ("execute", f"execute/{saved['version']}"):
            inputs = json.dumps({"inputs": {"text": anything(random)}})
            started = await server.ask(
                "POST",
                f"/api/graphs/{saved['id']}/{path}",
                content=inputs,
                headers={"Content-Type": "application/json"},
            )
            assert started.status_code < 500, (sent, started.text)
        shown = await server.ask("GET", f"/api/graphs/{saved['id']}?for_export=true")
        assert shown.status_code == 200, sent


async def frame(random: Random, server: WSServer) -> None:
    """Send spoiled frames over one socket; then another one must still be answered."""
    whole = {"method": "subscribe_graph_execution", "data": {"graph_exec_id": UNKNOWN}}
    async with server.connect(ANN, max_queue=None) as client:
        try:
            for _ in range(random.randrange(1, 20)):
                sent = as_bytes(random, spoiled(random, whole))
                if random.random() < 0.1:
                    await client.connection.send(sent)
                else:
                    await client.connection.send(sent.decode("utf-8", "replace"))
        except ConnectionClosed:
            pass
    async with server.connect(ANN) as client:
        assert (await client.ask("heartbeat"))["data"] == "pong"


_CRON: Final = [
    "*", "0", "59", "60", "L", "last", "W", "MON", "mon-fri", "*/5", "1-5/2", "1,2,3", "5#3", "?",
    "31", "2", "29", "-1", "1-", "99999999999999999999", "*/0", "a", "0-59/59", "7", "0-7", "JAN",
    "1,1,1,1", "*" * 50, "٣", "@daily", "", "\0",
]  # fmt: skip


def cron(random: Random) -> None:
    """Read a cron expression; if it is one, its next fire is found soon, or is none."""
    fields = [random.choice(_CRON) for _ in range(random.choice([5, 5, 5, 5, 1, 4, 6, 0]))]
    text = random.choice([" ", " ", "  ", "\t"]).join(fields)
    where = random.choice(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Mars/Olympus", "", "../x"])
    started = time.monotonic()
    try:
        found = Cron(text, random.choice(list(Dialect)))
        after = random.choice([0, 1_767_225_600_000_000, 4_102_444_800_000_000])
        fire = found.next_fire(zone(where), after)
        assert fire is None or fire > after, text
    except BadRequest:
        pass
    assert time.monotonic() - started < LONGEST_S, text


_PIECES: Final = [
    "{{", "}}", "{%", "%}", "{#", "#}", " a ", " b.c ", "|upper", "|join(',')", "|length", " for ",
    " in ", " if ", " endif ", " endfor ", " set ", " = ", "x", "1", "**", "*", "~", "(", ")", "[", "]",
    "'", '"', "loop", "range(9)", "macro m()", "endmacro", " else ", "|map('upper')", "|list", ".__class__",
    "{% for x in a %}", "{% endfor %}", "{{ a }}", "{% if b %}", "{% endif %}", "999999999", "'x' * 9999",
]  # fmt: skip


def template(random: Random) -> None:
    """Fill a template; it is a text of a bounded size, or an error with a sentence."""
    text = "".join(random.choice(_PIECES) for _ in range(random.randrange(1, 40)))
    started = time.monotonic()
    try:
        filled = fill(text, {"a": list("abc") * 50, "b": {"c": anything(random)}})
        told = ""
    except AgentServerError as exc:
        filled, told = "", str(exc)
    assert len(filled) <= 2**21
    assert filled or told or text
    assert time.monotonic() - started < LONGEST_S, text
