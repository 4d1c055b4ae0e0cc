"""Blocks alone over REST and the external API, in real processes: with a model, a sandbox, and kills."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import httpx2
import pytest

from backend.testing.providers import Answer, Asked, ModelProvider, Scripted, Silence
from tests.e2e.harness import Server, assert_consistent, serving, token, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CONVERSATION: Final = "32a87eab-381e-4dd4-bdb8-4c47151be35a"
CODE: Final = "0b02b072-abe7-11ef-8372-fb5d162dd712"
ASKED: Final = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say hello."}]}


class Mind:
    """Says hello; the first time somebody asks for silence, it says nothing."""

    def __init__(self) -> None:
        self.was_silent = threading.Event()

    def __call__(self, asked: Asked) -> Scripted:
        if "silence" in asked.last_text and not self.was_silent.is_set():
            self.was_silent.set()
            return Silence()
        return Answer(text="hello")


class Scene:
    def __init__(self, folder: Any, stack: ExitStack) -> None:
        self.mind = Mind()
        self.provider = stack.enter_context(ModelProvider(self.mind))
        self.server: Server = stack.enter_context(
            serving(
                folder / "data",
                OPENAI_API_KEY="a key that only tests use",
                PROVIDER_BASE_URLS=json.dumps(self.provider.base_urls("openai")),
            )
        )

    def execute(self, block: str, inputs: Any) -> httpx2.Response:
        return self.server.rest.ask("POST", f"/blocks/{block}/execute", inputs)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path_factory.mktemp("alone"), stack)


def test_a_block_that_asks_a_model_answers_and_is_counted(scene: Scene) -> None:
    before = scene.server.rest.get("/usage")["total"]["llm_call_count"]

    answer = scene.execute(CONVERSATION, ASKED)

    assert answer.status_code == 200, answer.text
    assert answer.json()["response"] == ["hello"]
    assert scene.server.rest.get("/usage")["total"]["llm_call_count"] == before + 1
    assert scene.server.rest.get("/executions") == []


def test_code_runs_in_a_sandbox(scene: Scene) -> None:
    answer = scene.execute(CODE, {"code": "print('hi')\n6 * 7"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["response"] == ["42"]
    assert answer.json()["stdout_logs"] == ["hi\n"]


def test_an_api_key_runs_blocks_too(scene: Scene) -> None:
    made = scene.server.rest.post(
        "/api-keys", {"name": "blocks", "permissions": ["EXECUTE_BLOCK"], "description": ""}
    )
    origin = f"http://127.0.0.1:{scene.server.ports['AgentServer']}"
    headers = {"X-API-Key": made["plain_text_key"]}

    def ask(inputs: Any) -> httpx2.Response:
        url = f"{origin}/external-api/v1/blocks/{CONVERSATION}/execute"
        return httpx2.post(url, json=inputs, headers=headers, timeout=60)

    mine = {"id": "of the user", "provider": "openai", "type": "api_key", "title": "mine"}
    assert ask(ASKED).json()["response"] == ["hello"]
    refused = ask({**ASKED, "credentials": mine})
    assert "only by who is signed in" in refused.text


@pytest.mark.parametrize("path", ["/api", "/external-api/v1"])
def test_a_client_that_goes_away_ends_its_run(scene: Scene, path: str) -> None:
    scene.mind.was_silent.clear()
    asked = {**ASKED, "messages": [{"role": "user", "content": f"Be silent: silence, {path}."}]}
    made = scene.server.rest.post(
        "/api-keys", {"name": path, "permissions": ["EXECUTE_BLOCK"], "description": ""}
    )
    body = json.dumps(asked).encode()
    head = (
        f"POST {path}/blocks/{CONVERSATION}/execute HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token()}\r\nX-API-Key: {made['plain_text_key']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    newest = (
        "SELECT status FROM executions WHERE trigger = 'block' ORDER BY created_us DESC LIMIT 1"
    )

    with socket.create_connection(("127.0.0.1", scene.server.ports["AgentServer"])) as client:
        client.sendall(head.encode() + body)
        assert scene.mind.was_silent.wait(60)
        assert scene.server.rows(newest) == [("RUNNING",)]

    until(lambda: scene.server.rows(newest) == [("TERMINATED",)], what="the end of its run")
    log = scene.server.log("AgentServer")
    assert "request_failed" not in log


def test_a_block_lives_through_a_kill_of_the_executor(scene: Scene) -> None:
    scene.mind.was_silent.clear()
    asked = {**ASKED, "messages": [{"role": "user", "content": "Now silence."}]}
    found: list[httpx2.Response] = []
    asking = threading.Thread(
        target=lambda: found.append(scene.execute(CONVERSATION, asked)), daemon=True
    )
    asking.start()
    assert scene.mind.was_silent.wait(60)

    scene.server.kill("ExecutionManager")

    asking.join(60)
    assert [answer.json()["response"] for answer in found] == [["hello"]]
    until(lambda: scene.server.rest.get("/executions") == [], what="no list shows it")
    assert_consistent(scene.server)
