"""Uploads: a form's file becomes a reference, and nothing else is taken for a file."""

from typing import Any

import pytest

from backend.adapters.clamav import ClamdScanner
from backend.core.errors import NotFound
from backend.core.ids import UserId
from backend.ports.files import SCHEME, FileId
from backend.services.files import FileService
from backend.testing.files import TransientFiles
from tests.contract.rest_server import ANN, BOB, RestServer
from tests.unit.adapters.test_clamav import VIRUS, Clamd, closed_port, listening

PATH = "/api/files/upload"
FORM = "multipart/form-data; boundary=B"
HOUR_S = 3600


def files_of(server: RestServer) -> TransientFiles:
    service: FileService = server.context.files
    assert isinstance(service._files, TransientFiles)
    return service._files


def form(*parts: tuple[str, bytes], end: bytes = b"--B--\r\n") -> bytes:
    """Return a form of parts: what follows `form-data;`, and the content."""
    return b"".join(
        b"--B\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    ) + end  # fmt: skip


async def send(server: RestServer, content: bytes, kind: str = FORM, query: str = "") -> Any:
    return await server.ask("POST", PATH + query, content=content, headers={"Content-Type": kind})


async def read(server: RestServer, uri: str, user: UserId = ANN) -> bytes:
    file_id = FileId(uri.removeprefix(SCHEME))
    with await files_of(server).of(user).open(file_id) as content:
        return content.read()


async def test_a_file_with_a_virus_is_refused_and_nothing_of_it_is_kept(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(Clamd().serve) as port:
        monkeypatch.setattr(server.context.files, "_scanner", ClamdScanner("", port))

        clean = await server.ask("POST", PATH, files={"file": ("a", b"fine")})
        refused = await server.ask("POST", PATH, files={"file": ("a", b"x" + VIRUS)})

    assert (clean.status_code, refused.status_code) == (200, 400)
    assert "Eicar-Test" in refused.json()["detail"]
    assert len(await everything(server)) == 1


async def test_what_cannot_be_scanned_is_refused(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        server.context.files, "_scanner", ClamdScanner("127.0.0.1", await closed_port())
    )

    response = await server.ask("POST", PATH, files={"file": ("a", b"fine")})

    assert response.status_code == 503
    assert await everything(server) == []


async def everything(server: RestServer) -> list[object]:
    """Return all files that are kept."""
    return list(files_of(server).kept.values())


async def test_an_upload_becomes_a_reference_of_its_sender(server: RestServer) -> None:
    response = await server.ask(
        "POST", PATH, files={"file": ("größer.pdf", b"x" * 1000, "application/pdf")}
    )

    answered = response.json()
    assert response.status_code == 200
    assert answered | {"file_uri": ""} == {
        "file_uri": "",
        "file_name": "größer.pdf",
        "size": 1000,
        "content_type": "application/pdf",
        "expires_in_hours": 24,
    }
    assert await read(server, answered["file_uri"]) == b"x" * 1000
    with pytest.raises(NotFound):
        await read(server, answered["file_uri"], BOB)


async def test_it_goes_when_its_hours_have_passed(server: RestServer) -> None:
    response = await server.ask(
        "POST", f"{PATH}?expiration_hours=2&provider=gcs", files={"file": ("a", b"x", "a/b")}
    )
    uri = response.json()["file_uri"]

    server.clock.pass_time(seconds=2 * HOUR_S - 1)
    assert await read(server, uri) == b"x"
    server.clock.pass_time(seconds=1)

    with pytest.raises(NotFound):
        await read(server, uri)
    assert await files_of(server).delete_expired() == 1


async def test_the_file_may_stand_among_other_fields(server: RestServer) -> None:
    content = b"\r\n--B\r\n--Bx\r\n"[2:-2].replace(b"--B\r\n", b"--b\r\n")
    body = form(
        ('name="note"', b"not this"),
        ('name="other"; filename="b"', b"nor this"),
        ('name="file"; filename="a/../b.txt"', content),
        ('name="after"', b"nor that"),
    )

    response = await send(server, body)

    assert response.status_code == 200, response.text
    assert response.json()["file_name"] == "a_.._b.txt"
    assert await read(server, response.json()["file_uri"]) == content


GOOD = form(('name="file"; filename="a"', b"hi"))


@pytest.mark.parametrize(
    ("content", "kind", "query", "status", "words"),
    [
        (b'{"file": "/etc/passwd"}', "application/json", "", 422, "Field required"),
        (b'{"file": {"filepath": "/etc/passwd"}}', FORM, "", 400, "no valid multipart"),
        (b"file=%2Fetc%2Fpasswd", "application/x-www-form-urlencoded", "", 422, "Field required"),
        (GOOD, "multipart/form-data", "", 422, "Field required"),
        (GOOD, "multipart/mixed; boundary=B", "", 422, "Field required"),
        (GOOD, "multipart/form-data; boundary=" + "B" * 300, "", 422, "Field required"),
        (GOOD, "", "", 422, "Field required"),
        (b"", FORM, "", 422, "Field required"),
        (form(('name="file"', b"/etc/passwd")), FORM, "", 422, "Field required"),
        (form(('name="fil"; filename="a"', b"hi")), FORM, "", 422, "Field required"),
        (form(('name="file"; filename="a"', b"")), FORM, "", 400, "empty"),
        (form(('name="file"; filename="a"', b"x" * 1001)), FORM, "", 400, "MAX_FILE_SIZE_MB"),
        (form(('name="a"', b"x" * 99_999)), FORM, "", 400, "before its file"),
        (GOOD[:-8], FORM, "", 400, "ends amid its file"),
        (b"--B\r\nno header\r\n\r\n", FORM, "", 400, "no valid multipart"),
        (GOOD, FORM, "?expiration_hours=0", 400, "1 to 48"),
        (GOOD, FORM, "?expiration_hours=49", 400, "1 to 48"),
        (GOOD, FORM, "?expiration_hours=-1", 400, "1 to 48"),
        (GOOD, FORM, "?expiration_hours=soon", 422, "valid integer"),
        (GOOD, FORM, "?expiration_hours=--1", 422, "valid integer"),
        (GOOD, FORM, "?expiration_hours=٣", 422, "valid integer"),
        (GOOD, FORM, "?provider=s3", 400, "no provider"),
    ],
)  # fmt: skip
async def test_what_is_no_upload_is_refused_and_nothing_is_kept(
    server: RestServer, content: bytes, kind: str, query: str, status: int, words: str
) -> None:
    response = await send(server, content, kind, query)

    assert response.status_code == status, response.text
    assert words in response.text
    assert not files_of(server).kept


async def test_a_size_that_is_refused_is_told_in_a_plain_text(server: RestServer) -> None:
    response = await server.ask("POST", PATH, files={"file": ("a", b"x" * 1001, "a/b")})

    assert response.json() == {"detail": "the file is too large (setting MAX_FILE_SIZE_MB)"}


async def test_all_that_one_user_sends_has_a_limit(server: RestServer) -> None:
    for _ in range(3):
        await server.ask("POST", PATH, files={"file": ("a", b"x" * 1000, "a/b")})

    refused = await server.ask("POST", PATH, files={"file": ("a", b"x" * 1000, "a/b")})

    assert refused.status_code == 400
    assert "MAX_RUN_FILES_MB" in refused.text


async def test_a_stranger_sends_nothing(server: RestServer) -> None:
    response = await server.client.post(PATH, files={"file": ("a", b"x", "a/b")})

    assert response.status_code == 401
    assert not files_of(server).kept
