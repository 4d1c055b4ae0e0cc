"""The counter of calls: a real server, asked as blocks ask it."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from backend.selfcheck.outside import Outside


@pytest.fixture
def outside() -> Iterator[Outside]:
    with Outside(lambda _run, _step: 0.0) as made:
        yield made


def ask(outside: Outside, path: str, body: Any, *, method: str = "POST", key: str = "") -> Any:
    request = urllib.request.Request(
        f"{outside.origin}/{path}",
        data=json.dumps(body).encode(),
        headers={"Idempotency-Key": key} if key else {},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_each_call_is_noted_with_its_run_its_step_and_its_key(outside: Outside) -> None:
    answer = ask(outside, "0", {"run": "r", "said": "x"}, key="k")
    ask(outside, "item", {"run": "r", "item": 3}, method="PUT")

    noted = [(call.run, call.step, call.key) for call in outside.calls()]
    assert answer == {"run": "r", "said": "x"}
    assert noted == [("r", "0", "k"), ("r", "item/3", None)]
    assert outside.calls()[0].at_us <= outside.calls()[1].at_us


def test_a_call_has_happened_before_it_is_answered() -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_run: str, _step: str) -> float:
        arrived.set()
        assert go_on.wait(30)
        return 0.0

    with Outside(slow) as outside:
        caller = threading.Thread(target=ask, args=(outside, "0", {"run": "r"}))
        caller.start()
        came = arrived.wait(10)
        noted = len(outside.calls())
        answered = outside.wait_for_answers(1, limit_s=0)
        go_on.set()
        caller.join()

    assert (came, noted, answered) == (True, 1, False)


def test_a_moment_that_does_not_come_is_not_waited_for(outside: Outside) -> None:
    assert not outside.wait_for_calls(1, limit_s=0)
    assert not outside.wait_for_answers(1, limit_s=0)
