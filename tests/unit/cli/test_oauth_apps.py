"""`agpt oauth-app`: what an operator makes, and switches off."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.clock import SystemClock
from backend.adapters.storage import open_storage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.oauth import SqlOAuth
from backend.cli import main
from backend.core.ids import DEFAULT_USER_ID, UserId
from backend.services.oauth import OAuthService

ADD = ("oauth-app", "add", "App", "-r", "https://app.example/back", "-s", "identity")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a new database, and its owner in it."""
    migrate(tmp_path / "agpt.db")

    async def owner() -> None:
        storage = open_storage(tmp_path / "agpt.db")
        await storage.of(DEFAULT_USER_ID).save_user(email="a@b", name=None, now_us=1)
        await storage.close()

    asyncio.run(owner())
    return tmp_path


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


def is_client(data: Path, client_id: str, secret: str) -> bool:
    async def asked() -> bool:
        storage = open_storage(data / "agpt.db")

        async def everybody(_: UserId) -> bool:
            return True

        service = OAuthService(
            storage=SqlOAuth(storage.database), clock=SystemClock(), may_act=everybody
        )
        found = await service.client(client_id, secret)
        await storage.close()
        return found is not None

    return asyncio.run(asked())


def test_an_app_is_made_listed_and_switched_off_and_on(data: Path) -> None:
    assert agpt(data, "oauth-app", "list") == (0, "", "There are no apps.\n")

    code, told, _ = agpt(data, *ADD)
    assert code == 0
    facts = dict(line.split() for line in told.splitlines())
    assert facts["client_secret"].startswith("agpt_")
    assert is_client(data, facts["client_id"], facts["client_secret"])

    line = f"app {facts['app']}  {facts['client_id']}  on  IDENTITY  App\n"
    assert agpt(data, "oauth-app", "list") == (0, line, "")
    assert agpt(data, "oauth-app", "disable", facts["app"]) == (0, "The app App is off.\n", "")
    assert not is_client(data, facts["client_id"], facts["client_secret"])
    assert agpt(data, "oauth-app", "enable", facts["app"]) == (0, "The app App is on.\n", "")
    assert is_client(data, facts["client_id"], facts["client_secret"])


def test_programs_read_the_shapes_of_the_api(data: Path) -> None:
    made = json.loads(agpt(data, *ADD, "--json")[1])
    [listed] = json.loads(agpt(data, "oauth-app", "list", "--json")[1])
    off = json.loads(agpt(data, "oauth-app", "disable", made["id"], "--json")[1])

    secret = made.pop("client_secret")
    assert (listed, secret in str(listed)) == (made, False)
    assert off["is_active"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((*ADD, "--user", "nobody"), "There is no user #nobody."),
        ((*ADD, "-r", "http://app.example/"), "is no redirect URI"),
        (("oauth-app", "disable", "nothing"), "OAuth app #nothing not found."),
    ],
)
def test_what_cannot_be_done_is_told(data: Path, words: tuple[str, ...], says: str) -> None:
    code, _, told = agpt(data, *words)

    assert (code, says in told) == (1, True), told
    assert agpt(data, "oauth-app", "list")[1] == ""
