"""`agpt block run` against real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from signal import SIGINT
from typing import Final

import pytest
from click.testing import CliRunner, Result

from backend.cli import main
from backend.testing.providers import Answer, Asked, ModelProvider, Scripted, Silence
from tests.e2e.harness import Server, serving, token, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ASK: Final = "AITextGeneratorBlock"


def mind(asked: Asked) -> Scripted:
    return Silence() if "silence" in asked.last_text else Answer(text="hello")


class Scene:
    def __init__(self, server: Server, provider: ModelProvider) -> None:
        self.server = server
        self.provider = provider

    def words(self, *words: str) -> list[str]:
        origin = f"http://127.0.0.1:{self.server.ports['AgentServer']}"
        return ["block", "run", *words, "--server", origin, "--token", token()]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, self.words(*words))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        provider = stack.enter_context(ModelProvider(mind))
        server = stack.enter_context(
            serving(
                tmp_path_factory.mktemp("block") / "data",
                OPENAI_API_KEY="a key that only tests use",
                PROVIDER_BASE_URLS=json.dumps(provider.base_urls("openai")),
            )
        )
        yield Scene(server, provider)


@pytest.mark.parametrize(
    "name",
    ["FillTextTemplate", "FillTextTemplateBlock", "db7d8f02-2f44-4c55-ab7a-eae0941f0c30"],
)
def test_a_block_is_named_by_name_or_id_and_prints_its_outputs(scene: Scene, name: str) -> None:
    told = scene.run(
        name, "-i", "format={{a}} and {{b}}", "-i", 'values={"a":1}', "-i", "values_#_b=2"
    )

    assert (told.exit_code, told.stdout) == (0, "output: 1 and 2\n"), told.stderr


def test_programs_get_one_object(scene: Scene) -> None:
    told = scene.run("FillTextTemplate", "-i", "format=x", "-i", "values={}", "--json")

    assert json.loads(told.stdout) == {
        "block": "FillTextTemplateBlock",
        "outputs": {"output": ["x"]},
    }


def test_what_is_wrong_is_told_in_a_sentence(scene: Scene) -> None:
    unknown = scene.run("Nothing")
    pin = scene.run("FillTextTemplate", "-i", "text=x")
    missing = scene.run("FillTextTemplate")
    credentials = scene.run(ASK, "-i", "prompt=x", "-i", "model=gpt-4o", "-i", "credentials=mine")

    assert (unknown.exit_code, pin.exit_code) == (1, 2)
    assert "no block 'Nothing'" in unknown.stderr
    assert "no input 'text'. The inputs are: values" in pin.stderr
    assert (missing.exit_code, credentials.exit_code) == (1, 1)
    assert "FillTextTemplateBlock" in missing.stderr
    assert "you keep no credentials 'mine' for" in credentials.stderr


def test_credentials_are_named_by_their_title_or_id(scene: Scene) -> None:
    wanted = {
        "type": "api_key",
        "provider": "openai",
        "title": "mine",
        "api_key": "a key of one's own",
    }
    kept = scene.server.rest.ask("POST", "/integrations/openai/credentials", wanted).json()

    for name in ("mine", kept["id"]):
        told = scene.run(ASK, "-i", "prompt=x", "-i", "model=gpt-4o", "-i", f"credentials={name}")

        assert told.exit_code == 0, told.stderr
        assert "response: hello\n" in told.stdout


def test_an_interrupt_ends_the_run(scene: Scene) -> None:
    newest = (
        "SELECT status FROM executions WHERE trigger = 'block' ORDER BY created_us DESC LIMIT 1"
    )
    words = scene.words(ASK, "-i", "prompt=silence", "-i", "model=gpt-4o")
    with subprocess.Popen(
        [sys.executable, "-m", "backend.cli", *words], stderr=subprocess.PIPE
    ) as process:
        until(
            lambda: any("silence" in asked.last_text for asked in scene.provider.asked),
            what="the question",
        )
        process.send_signal(SIGINT)
        _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (130, b"agpt: interrupted; the block was stopped.\n")
    until(lambda: scene.server.rows(newest) == [("TERMINATED",)], what="the end of the run")
