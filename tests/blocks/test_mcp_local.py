"""Tool servers of this machine: only the administrator's, bounded, and never left behind."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.adapters.mcp import GuardedToolServers, LocalLimits, LocalServer, LocalServers
from backend.adapters.web import GuardedWebClient
from backend.blocks.mcp.call_tool import MCPToolBlock
from backend.core.credentials import Secret
from backend.core.errors import BlockError, NotFound, WebFailed, WebTimedOut, WebTooLarge
from backend.core.ids import UserId
from backend.ports.mcp import ServerTool, ToolServer
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.memory import TransientMemories

PROGRAM = Path(__file__).with_name("local_server.py")
KEY = "a-key-of-the-administrator"
MEGABYTE = 1024 * 1024
ANN = UserId("ann")


def server(name: str = "local", **more: Any) -> LocalServer:
    return LocalServer(
        name=name,
        command=(sys.executable, "-S", str(PROGRAM), "one arg; $HOME"),
        environment={"KEY": Secret(KEY)},
        **more,
    )


def here(url: str = "stdio:local", user_id: UserId = ANN) -> ToolServer:
    return ToolServer(url=url, user_id=user_id)


@pytest.fixture
async def web() -> AsyncIterator[GuardedWebClient]:
    web = GuardedWebClient()
    yield web
    await web.aclose()


@pytest.fixture
async def servers(web: GuardedWebClient) -> AsyncIterator[GuardedToolServers]:
    limits = LocalLimits(count=2, memory_bytes=200 * MEGABYTE, output_bytes=256 * 1024)
    mine = server("mine", users=frozenset({ANN}))
    made = GuardedToolServers(web, LocalServers({"local": server(), "mine": mine}, limits))
    yield made
    await made.aclose()
    assert children() == []


def children() -> list[str]:
    """Return what this process has started and what still lives, and what came from that."""
    found = psutil.Process().children(recursive=True)
    return [" ".join(one.cmdline()) for one in found if "keeper.py" in " ".join(one.cmdline())]


async def called(servers: GuardedToolServers, name: str, **arguments: Any) -> str:
    tool = await servers.find(here(), name)
    found = await servers.call(here(), name, arguments, digest=tool.digest())
    return str(found.content[0]["text"])


async def test_a_server_is_told_what_the_administrator_gives_and_nothing_else(
    servers: GuardedToolServers,
) -> None:
    facts = json.loads(await called(servers, "facts"))

    assert facts["args"] == ["one arg; $HOME"]
    assert {name: text for name, text in facts["env"].items() if name != "LC_CTYPE"} == {"KEY": KEY}
    assert facts["folder"] == "/"
    assert facts["files"] == 4  # its three streams, and the one that counts them


async def test_its_tools_are_listed_like_those_of_any_server(servers: GuardedToolServers) -> None:
    found = await servers.tools(here())

    assert [tool.name for tool in found][:2] == ["facts", "die"]


async def test_a_block_calls_it_by_its_name(servers: GuardedToolServers) -> None:
    context = replace(CONTEXT, tool_servers=servers, memory=TransientMemories())

    asked = {"server_url": "stdio:local", "selected_tool": "facts"}
    [(pin, facts)] = await outputs_of(MCPToolBlock(), asked, context)

    assert (pin, facts["env"]["KEY"]) == ("result", KEY)


@pytest.mark.parametrize(
    "url",
    [
        "stdio:/bin/sh",
        "stdio:local --more",
        "stdio:local;id",
        "stdio:../local",
        "stdio:$(id)",
        "stdio://local",
        "stdio:",
        "stdio:LOCAL",
        "stdio:mine",
    ],
)
async def test_nothing_is_started_but_what_the_file_names_for_this_user(
    servers: GuardedToolServers, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("backend.adapters.mcp.visit._started", started.append)
    context = replace(CONTEXT, user_id="bob", tool_servers=servers, memory=TransientMemories())
    asked = {"server_url": url, "selected_tool": "facts", "tool_arguments": {"command": "id"}}

    with pytest.raises(BlockError, match=r"there is no tool server .* for you; there are: local\."):
        await outputs_of(MCPToolBlock(), asked, context)

    assert started == []


async def test_a_server_for_some_is_theirs(servers: GuardedToolServers) -> None:
    assert await servers.find(here("stdio:mine"), "facts")
    with pytest.raises(NotFound, match=r"there are: local$"):
        await servers.find(here("stdio:mine", UserId("bob")), "facts")


async def test_without_a_file_there_are_none_and_it_says_which_setting_is_missing(
    web: GuardedWebClient,
) -> None:
    context = replace(CONTEXT, tool_servers=GuardedToolServers(web), memory=TransientMemories())

    asked = {"server_url": "stdio:local", "selected_tool": "facts"}
    with pytest.raises(BlockError, match="setting MCP_SERVERS_FILE"):
        await outputs_of(MCPToolBlock(), asked, context)


async def test_one_that_dies_says_how_without_its_secrets(servers: GuardedToolServers) -> None:
    with pytest.raises(WebFailed, match="'local' ended with code 3: the end of") as failed:
        await called(servers, "die")

    assert KEY not in str(failed.value)


async def test_one_that_says_too_much_is_ended(servers: GuardedToolServers) -> None:
    assert len(await called(servers, "talk", bytes=200_000)) == 200_000
    with pytest.raises(WebTooLarge, match=r"more than 256 KB .setting MCP_SERVER_OUTPUT_KB"):
        await called(servers, "talk", bytes=300_000)
    with pytest.raises(WebTooLarge, match=r"more than 256 KB .setting MCP_SERVER_OUTPUT_KB"):
        await called(servers, "talk", bytes=1, notes=6)


async def test_one_that_takes_too_much_memory_is_ended(servers: GuardedToolServers) -> None:
    with pytest.raises(WebFailed, match=r"(?s)ended with code 1: .*MemoryError"):
        await called(servers, "eat", mb=400)
    with pytest.raises(WebFailed, match=r"more than 200 MB of memory .setting MCP_SERVER_MEMORY"):
        await called(servers, "eat", mb=90, processes=4)


async def test_one_that_takes_too_long_is_ended(web: GuardedWebClient) -> None:
    local = LocalServers({"local": server()}, LocalLimits())
    tool = await GuardedToolServers(web, local).find(here(), "hang")
    servers = GuardedToolServers(web, local, visit_s=1.0)

    with pytest.raises(WebTimedOut, match=r"longer than 1 s .setting MCP_SERVER_TIME_LIMIT_S"):
        await servers.call(here(), "hang", {}, digest=tool.digest())

    await servers.aclose()
    assert children() == []


async def bred(servers: GuardedToolServers, folder: Path) -> tuple[asyncio.Task[Any], list[Any]]:
    """Return a call under way, and all processes that it has begun, keeper first."""
    tool = await servers.find(here(), "breed")
    note = folder / "note"
    arguments = {"note": str(note)}
    calling = asyncio.create_task(servers.call(here(), "breed", arguments, digest=tool.digest()))
    async with asyncio.timeout(20):
        while not (note.exists() and note.read_text()):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
    keeper = psutil.Process(int(note.read_text())).parent()
    assert keeper is not None
    family = [keeper, *keeper.children(recursive=True)]
    assert len(family) == 1 + 1 + 3
    return calling, family


async def gone(family: list[Any]) -> None:
    async with asyncio.timeout(10):
        while any(_lives(one) for one in family):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_stop_ends_it_with_all_that_it_has_started(
    servers: GuardedToolServers, tmp_path: Path
) -> None:
    calling, family = await bred(servers, tmp_path)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

    assert not any(map(_lives, family))


async def test_when_its_executor_is_killed_nothing_of_it_is_left(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(PROGRAM.parents[2])!r})
from pathlib import Path
from tests.blocks.test_mcp_local import *

async def main():
    web = GuardedWebClient()
    servers = GuardedToolServers(web, LocalServers({{"local": server()}}, LocalLimits()))
    _, family = await bred(servers, Path({str(tmp_path)!r}))
    Path({str(note)!r} + ".all").write_text(" ".join(str(one.pid) for one in family))
    await asyncio.sleep(600)

asyncio.run(main())
"""
    executor = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    told = tmp_path / "note.all"
    async with asyncio.timeout(60):
        while not (told.exists() and told.read_text()):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)
    family = [psutil.Process(int(pid)) for pid in told.read_text().split()]

    os.kill(executor.pid, signal.SIGKILL)
    await executor.wait()

    await gone(family)


async def test_no_more_live_at_once_than_may(servers: GuardedToolServers, tmp_path: Path) -> None:
    calls = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        calls.append((await bred(servers, tmp_path / str(number)))[0])
    third = asyncio.create_task(servers.find(here(), "facts"))

    done, _ = await asyncio.wait([third], timeout=0.5)
    calls[0].cancel()
    await asyncio.wait([calls[0]])

    assert not done
    assert (await third).name == "facts"
    calls[1].cancel()
    await asyncio.wait([calls[1]])


async def test_a_server_made_with_the_library_of_the_protocol_works(
    web: GuardedWebClient, tmp_path: Path
) -> None:
    program = tmp_path / "sums.py"
    program.write_text(
        "from mcp.server import MCPServer\n"
        "server = MCPServer('sums')\n"
        "@server.tool()\n"
        "def add(a: int, b: int) -> int:\n"
        "    '''Adds two numbers.'''\n"
        "    return a + b\n"
        "server.run(transport='stdio')\n"
    )
    sums = LocalServer(name="sums", command=(sys.executable, str(program)))
    servers = GuardedToolServers(web, LocalServers({"sums": sums}, LocalLimits()))

    tool: ServerTool = await servers.find(here("stdio:sums"), "add")
    said = await servers.call(here("stdio:sums"), "add", {"a": 2, "b": 3}, digest=tool.digest())

    assert said.content[0]["text"] == "5"
    await servers.aclose()


async def test_a_program_that_is_not_there_any_more_is_said(web: GuardedWebClient) -> None:
    lost = LocalServer(name="lost", command=("/nowhere/server",))
    servers = GuardedToolServers(web, LocalServers({"lost": lost}, LocalLimits()))

    with pytest.raises(WebFailed, match="'lost' cannot be started: No such file or directory"):
        await servers.tools(here("stdio:lost"))

    await servers.aclose()
