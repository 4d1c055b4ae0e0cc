"""Starts runs all the time, stops some of them, and answers what they ask people."""

import re
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from backend.core.errors import Unavailable
from backend.selfcheck.client import Client, NoAnswer, NotHeard
from backend.selfcheck.history import Accepted
from backend.selfcheck.plan import Decision, Kind, RunPlan, run_plan
from backend.selfcheck.scenes import edited, inputs_of
from backend.selfcheck.watcher import Watchers
from backend.selfcheck.witness import Witness
from backend.services.portable import to_file

#: Runs that are under way at once; the server takes up to 25 of one agent.
IN_FLIGHT: Final = 16
#: No more than about so many a second are started: a check must not be a bench.
_SPACING_S: Final = 0.06
_AGAIN_S: Final = 0.05
_REVIEWS_S: Final = 0.2
_OK: Final = 200
_STARTERS: Final = 2
_PERSONS: Final = 1
_STOPPERS: Final = 5
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Load:
    """
    What the clients of the private servers do.

    Attributes:
        plans: By name, whatever was asked to run.
        accepted: What the server said it has taken.
        unanswered: How many starts, stops and answers had no answer.
        refused: Answers that were no 200, by status, method and path without its ids.
    """

    def __init__(self, seed: int, client: Client, witness: Witness, watchers: Watchers) -> None:
        """Prepare the load of a check with *seed*."""
        self.plans: dict[str, RunPlan] = {}
        self.accepted: list[Accepted] = []
        self.unanswered = 0
        self.refused: Counter[str] = Counter()
        self._seed = seed
        self._client = client
        self._witness = witness
        self._watchers = watchers
        self._graphs: dict[Kind, str] = {}
        self._lock = threading.Lock()
        self._number = 0
        self._enough = threading.Event()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(_STARTERS + _PERSONS + _STOPPERS)
        self._starters: list[Future[None]] = []
        self._others: list[Future[None]] = []

    def save(self, graphs: Mapping[Kind, Any]) -> None:
        """
        Save the agents.

        Raises:
            Unavailable: If the server does not take one.
        """
        for kind, graph in graphs.items():
            status, saved = self._client.ask("POST", "/graphs", {"graph": to_file(graph)})
            if status != _OK:
                raise Unavailable(f"The server answers {status} to the agent {kind}: {saved}")
            self._graphs[kind] = saved["id"]

    def start(self) -> None:
        """Begin."""
        self._others.append(self._pool.submit(self._answer_reviews))
        self._starters += [self._pool.submit(self._start_runs) for _ in range(_STARTERS)]

    def enough(self) -> None:
        """Start no more runs; stops and answers go on. Returns when the last start was answered."""
        self._enough.set()
        for one in self._starters:
            one.result()

    def close(self) -> None:
        """Do nothing more; raises what went wrong in between. Twice is harmless."""
        # First: nobody may go on asking a server that does not come back.
        self._over.set()
        self._enough.set()
        self._pool.shutdown()
        for one in (*self._starters, *self._others):
            one.result()

    # Starting.

    def _start_runs(self) -> None:
        while not self._enough.wait(_SPACING_S * _STARTERS):
            if self._in_flight() < IN_FLIGHT:
                self._start(self._next())

    def _in_flight(self) -> int:
        with self._lock:
            accepted = self.accepted[-10 * IN_FLIGHT :]
        return sum(1 for one in accepted if not self._witness.has_ended(one.run_id))

    def _next(self) -> RunPlan:
        with self._lock:
            plan = run_plan(self._seed, self._number)
            self._number += 1
            self.plans[plan.name] = plan
            return plan

    def _start(self, plan: RunPlan) -> None:
        graph_id = self._graphs[plan.kind]
        path = f"/graphs/{graph_id}/execute"
        key = plan.name if plan.keyed else None
        answer = self._ask_until_heard("POST", path, {"inputs": inputs_of(plan)}, key=key)
        if answer is None:
            return
        run_id = str(answer["id"])
        with self._lock:
            self.accepted.append(Accepted(run_id=run_id, graph_id=graph_id, plan=plan))
            if plan.stop_after_s is not None:
                stop = self._pool.submit(self._stop, graph_id, run_id, plan.stop_after_s)
                self._others.append(stop)
        if plan.watched:
            self._watchers.follow(run_id)

    def _stop(self, graph_id: str, run_id: str, after_s: float) -> None:
        self._over.wait(after_s)
        self._ask_until_heard("POST", f"/graphs/{graph_id}/executions/{run_id}/stop")

    def _ask_until_heard(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> Any:
        """
        Ask until somebody hears it; return the answer, or None if there was no good one.

        What has a *key* is asked again until it is answered too.
        """
        while not self._over.is_set():
            try:
                status, answer = self._client.ask(method, path, body, key=key)
            except NotHeard:
                self._over.wait(_AGAIN_S)
                continue
            except NoAnswer:
                with self._lock:
                    self.unanswered += 1
                if key is None:
                    return None
                continue
            if status == _OK:
                return answer
            with self._lock:
                self.refused[f"HTTP {status} {method} {_shape(path)}"] += 1
            return None
        return None

    # People.

    def _answer_reviews(self) -> None:
        while not self._over.wait(_REVIEWS_S):
            pending = self._ask_until_heard("GET", "/review/pending?page_size=100")
            for review in pending or ():
                self._decide(review)

    def _decide(self, review: Mapping[str, Any]) -> None:
        name = str(review["payload"])
        plan = self.plans[name]
        item: dict[str, Any] = {
            "node_exec_id": review["node_exec_id"],
            "approved": plan.decision is not Decision.REJECT,
        }
        if plan.decision is Decision.EDIT:
            item["reviewed_data"] = edited(name)
        self._ask_until_heard("POST", "/review/action", {"reviews": [item]})


def _shape(path: str) -> str:
    """Return *path* without its ids and its query."""
    return _ID.sub("*", path.partition("?")[0])
