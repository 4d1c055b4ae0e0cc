"""Files handed back: to their owner alone, whole, and never as something that a browser runs."""

from typing import Any, Final

import pytest

from backend.api.routes.workspace import disposition
from backend.ports.files import NewFile
from tests.contract.rest_server import ANN, BOB, RestServer

UPLOAD: Final = "/api/files/upload"


async def sent(
    server: RestServer, name: str = "a.txt", content: bytes = b"hello", kind: str = "text/plain"
) -> str:
    """Send a file as Ann, and return where it is downloaded."""
    response = await server.ask("POST", UPLOAD, files={"file": (name, content, kind)})
    assert response.status_code == 200, response.text
    return path_of(response.json()["file_uri"])


def path_of(reference: str) -> str:
    """Return where the file of *reference* is downloaded."""
    return f"/api/workspace/files/{reference.removeprefix('workspace://')}/download"


async def test_a_file_comes_back_whole_to_be_saved(server: RestServer) -> None:
    content = bytes(range(256)) * 3

    response = await server.ask("GET", await sent(server, "größe.bin", content, "image/png"))

    assert response.status_code == 200
    assert response.content == content
    assert response.headers["content-length"] == str(len(content))
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"gr__e.bin\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.bin"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox")
    assert "no-store" in response.headers["cache-control"]


async def test_what_a_run_has_made_is_its_owners_too(server: RestServer) -> None:
    async def pieces() -> Any:
        yield b"made"

    files = server.context.files._files.of(ANN)
    stored = await files.save(NewFile(run_id="run", name="out.txt"), pieces())  # type: ignore[arg-type] # any text

    mine = await server.ask("GET", path_of(stored.reference))
    theirs = await server.ask("GET", path_of(stored.reference), user=BOB)

    assert (mine.status_code, mine.content) == (200, b"made")
    assert theirs.status_code == 404


async def test_a_file_of_somebody_else_is_like_none(server: RestServer) -> None:
    path = await sent(server)

    theirs = await server.ask("GET", path, user=BOB)
    nobodys = await server.ask("GET", path.replace("own_", "own-"), user=BOB)

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["hint"] == nobodys.json()["hint"]
    assert (await server.client.get(path)).status_code == 401


async def test_a_kind_that_could_be_a_header_is_none(server: RestServer) -> None:
    response = await server.ask("GET", await sent(server, kind="text/html;charset=x"))

    assert response.headers["content-type"] in ("application/octet-stream", "text/html")
    assert response.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ('a"b\\c;d', "attachment; filename=\"a_b_c_d\"; filename*=UTF-8''a%22b%5Cc%3Bd"),
        ("a\r\nX: y", "attachment; filename=\"a__X_ y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
        ("日本", "attachment; filename=\"__\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
    ],
)
def test_a_name_is_never_a_header_of_its_own(name: str, header: str) -> None:
    assert disposition(name) == header


#: What is wrong, method, path, body, status, what it says.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("an unknown file", "GET", "/api/workspace/files/run_0/download", None, 404, "no file"),
    ("a way up", "GET", "/api/workspace/files/..%2f..%2fetc/download", None, 404, ""),
    ("a file's id of 10 kB", "GET", f"/api/workspace/files/{'x' * 10_000}/download", None, 404, "no file"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    response = await server.ask(method, path, body)

    assert response.status_code == status, response.text
    assert says in response.text
