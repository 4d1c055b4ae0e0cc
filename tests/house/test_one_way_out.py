"""Nobody but the guarded way out opens connections to the outside."""

import ast

from tests.house.source import dotted, sources

#: The one way out, and who else may dial, each with its reason.
ALLOWED = {
    "backend/adapters/web/": "the guarded way out itself",
    "backend/adapters/clamav.py": "the operator's own virus scanner, from the settings",
    "backend/adapters/broker/": "the operator's own broker, from the settings",
    "backend/adapters/mail/": "the operator's own SMTP server, and the guarded way out for mail",
    "backend/adapters/internal_calls.py": "our own services, at the address in the settings",
    "backend/cli/": "the command line asks the server on loopback",
    "backend/selfcheck/": "a check asks the server that it has started itself, on loopback",
}
CLIENTS = [
    "aiohttp",
    "aiosmtplib",
    "ftplib",
    "http.client",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "imaplib",
    "niquests",
    "poplib",
    "pycurl",
    "requests",
    "smtplib",
    "socks",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websocket",
]
DIALLING = frozenset(
    {
        "aiormq.connect",
        "socket.create_connection",
        "asyncio.open_connection",
        "anyio.connect_tcp",
        "websockets.connect",
    }
)
DIALLING_METHODS = frozenset({"create_connection", "sock_connect", "connect_ex"})


def test_only_the_guarded_way_out_and_a_short_list_dials() -> None:
    found = [
        f"{source.name}:{line}"
        for source in sources("backend")
        if not source.name.startswith(tuple(ALLOWED))
        for line in _ways_out(source.tree)
    ]

    assert found == []


def test_each_kind_of_way_out_is_seen() -> None:
    """The lint would pass everything if it saw nothing."""
    samples = [
        "import httpx2",
        "def f():\n    from httpx2 import URL",
        "import urllib.request",
        "from urllib import request",
        "from http import client",
        "import http.client as c",
        "import smtplib",
        "import importlib\nimportlib.import_module('requests')",
        "import socket\nsocket.create_connection(('a', 1))",
        "import asyncio\nasyncio.open_connection('a', 1)",
        "loop.create_connection(f, 'a', 1)",
        "import aiormq\naiormq.connect('amqp://a')",
    ]

    assert [text for text in samples if not _ways_out(ast.parse(text))] == []


def test_what_only_sounds_alike_passes() -> None:
    text = (
        "from urllib.parse import quote\nfrom http import HTTPStatus\nimport backend.util.request"
    )

    assert _ways_out(ast.parse(text)) == []


def _ways_out(tree: ast.Module) -> list[int]:
    hidden = _types_only(tree)
    return [
        node.lineno
        for node in ast.walk(tree)
        if node not in hidden
        and isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
        and _leads_out(node)
    ]


def _leads_out(node: ast.Import | ast.ImportFrom | ast.Call) -> bool:
    if isinstance(node, ast.Import):
        return any(map(_is_client, (one.name for one in node.names)))
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        names = [f"{module}.{one.name}" for one in node.names]
        return node.level == 0 and any(map(_is_client, [module, *names]))
    name = dotted(node.func)
    if name.endswith("import_module"):
        return any(
            isinstance(arg, ast.Constant) and _is_client(str(arg.value)) for arg in node.args
        )
    return name in DIALLING or name.rpartition(".")[2] in DIALLING_METHODS


def _is_client(module: str) -> bool:
    return any(module == client or module.startswith(f"{client}.") for client in CLIENTS)


def _types_only(tree: ast.Module) -> set[ast.AST]:
    """Give what stands under ``if TYPE_CHECKING``: it never runs."""
    guarded = [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and dotted(n.test) == "TYPE_CHECKING"
    ]
    return {inner for branch in guarded for one in branch.body for inner in ast.walk(one)}
