"""One check from its start to its report: server, load, storm, and the proof at the end."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from backend.core import json
from backend.core.errors import CannotStart
from backend.selfcheck.checker import check
from backend.selfcheck.client import Client, NoAnswer, NotHeard
from backend.selfcheck.history import Answer, History, RunRow
from backend.selfcheck.load import Load
from backend.selfcheck.outside import Outside
from backend.selfcheck.plan import StrikePlan, slow_s, strike_plans
from backend.selfcheck.report import Report
from backend.selfcheck.rules import Violation
from backend.selfcheck.scenes import expected_of, graphs
from backend.selfcheck.server import PrivateServer, until
from backend.selfcheck.storm import Storm
from backend.selfcheck.watcher import Watcher
from backend.selfcheck.witness import Witness

#: Without --minutes: what a machine of two cores recovers from, and little more.
PAUSE_S: Final = 0.5
#: After the last kill everything has to come to its end in this time.
DRAIN_S: Final = 120.0
_EVENTS_S: Final = 20.0
_TRIES: Final = 50


@dataclass(frozen=True, kw_only=True)
class Order:
    """
    What to check.

    Attributes:
        minutes: Spread the kills over so long; None: as fast as the server comes back.
        parent: Where the private folder is made; None: where temporary files are.
        keep: Keep that folder whatever is found.
    """

    seed: int
    kills: int
    minutes: float | None = None
    parent: Path | None = None
    keep: bool = False


def selfcheck(order: Order, *, on_kill: Callable[[], None] = lambda: None) -> Report:
    """
    Start a private server, kill it again and again under load, and prove its history.

    Args:
        on_kill: Called after each kill.

    Raises:
        CannotStart: If no folder can be made, or the server does not start.
    """
    began = time.monotonic()
    with _folder(order.parent) as folder:
        work = _Check(order, folder.path)
        try:
            found = work.run(on_kill)
        except CannotStart as exc:
            if not work.has_struck:
                raise
            folder.keep = True
            raise CannotStart(f"{exc} What is left of it is in {folder.path}.") from exc
        report = replace(found, lasted_s=time.monotonic() - began)
        if order.keep or not report.is_clean:
            folder.keep = True
            report = replace(report, kept=folder.path)
    return report


class _Folder:
    """A folder that goes at the end, unless it is to be kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keep = False


@contextmanager
def _folder(parent: Path | None) -> Iterator[_Folder]:
    try:
        path = Path(tempfile.mkdtemp(prefix="agpt-selfcheck-", dir=parent)).resolve()
    except OSError as exc:
        place = parent or tempfile.gettempdir()
        raise CannotStart(f"No private folder can be made in {place}: {exc.strerror}.") from exc
    folder = _Folder(path)
    try:
        yield folder
    finally:
        if not folder.keep:
            shutil.rmtree(path, ignore_errors=True)


class _Check:
    """The parts of one check, and the order in which they work."""

    def __init__(self, order: Order, folder: Path) -> None:
        self._order = order
        self._outside = Outside(partial(slow_s, order.seed))
        self._server = PrivateServer(folder, self._outside.origin)
        self._witness = Witness(self._server.database)
        self._storm = Storm(self._server, self._witness, self._outside)

    @property
    def has_struck(self) -> bool:
        """Whether anything was done to the server."""
        return bool(self._storm.struck)

    def run(self, on_kill: Callable[[], None]) -> Report:
        """Do all of it; leaves nothing running, whatever happens."""
        with ExitStack() as stack:
            stack.callback(self._outside.close)
            # Whatever happens, nobody of it lives on.
            stack.callback(self._server.kill_all)
            self._server.start()
            ports = self._server.ports
            client = stack.enter_context(Client(ports["AgentServer"], self._server.key))
            watcher = Watcher(ports["WebsocketServer"], client.token, self._witness)
            stack.callback(watcher.close)
            load = Load(self._order.seed, client, self._witness, watcher)
            stack.callback(load.close)
            stack.callback(self._witness.close)
            load.save(graphs(self._outside.origin))
            self._witness.start()
            watcher.start()
            load.start()
            self._strike(on_kill)
            return self._prove(client, load, watcher)

    def _strike(self, on_kill: Callable[[], None]) -> None:
        kills, minutes = self._order.kills, self._order.minutes
        pause_s = PAUSE_S if minutes is None else minutes * 60 / kills

        def struck(plan: StrikePlan) -> None:
            if plan.kills:
                on_kill()

        self._storm.run(strike_plans(self._order.seed, kills, pause_s=pause_s), struck)

    def _prove(self, client: Client, load: Load, watcher: Watcher) -> Report:
        load.enough()
        until(lambda: self._witness.unfinished() == 0, limit_s=DRAIN_S)
        until(lambda: not watcher.waits, limit_s=_EVENTS_S)
        load.close()
        watcher.close()
        self._witness.close()
        self._witness.look()
        runs, nodes = self._witness.rows()
        answers = self._answers(client, runs)
        surprises = [*self._storm.surprises, *self._server.stop()]
        left = self._server.left_behind()
        history = History(
            plans=load.plans,
            accepted=load.accepted,
            calls=self._outside.calls(),
            interruptions=self._storm.interruptions,
            seen_runs=self._witness.seen_runs,
            seen_nodes=self._witness.seen_nodes,
            runs=runs,
            nodes=nodes,
            told=watcher.told,
            followed=frozenset(watcher.followed),
            answers=answers,
            broken=_doctor(self._server.database),
            left=left,
            surprises=surprises,
        )
        _write_calls(self._server.diary.with_name("calls.jsonl"), history)
        return self._report(history, load, check(history))

    def _answers(self, client: Client, runs: Mapping[str, RunRow]) -> dict[str, Answer]:
        graph_ids = self._witness.graph_ids()
        return {
            run.id: _answer(client, graph_ids[run.id], run.id)
            for run in runs.values()
            if run.parent_id is None
        }

    def _report(self, history: History, load: Load, violations: list[Violation]) -> Report:
        return Report(
            seed=self._order.seed,
            kills=sum(n for strike, n in self._storm.struck.items() if strike.kills),
            lasted_s=0,
            strikes={strike.value: n for strike, n in self._storm.struck.most_common()},
            moments={moment.value: n for moment, n in self._storm.triggers.most_common()},
            killed=dict(self._storm.killed.most_common()),
            runs=_ends_by_kind(history),
            nodes=len(history.nodes),
            calls=_calls_by_effect(history),
            recoveries_s=sorted(self._witness.recoveries_s),
            slowest_run=self._witness.slowest[1],
            events=(len(history.told), len(history.followed)),
            unanswered=load.unanswered,
            refused=load.refused,
            violations=violations,
        )


def _write_calls(path: Path, history: History) -> None:
    """Write down what arrived outside: with the database it tells the whole story of a run."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.text(asdict(call))}\n" for call in history.calls)


def _answer(client: Client, graph_id: str, run_id: str) -> Answer:
    for _ in range(_TRIES):
        try:
            status, run = client.run_at(graph_id, run_id)
        except (NotHeard, NoAnswer):
            time.sleep(0.1)  # AgentServer may still be on its way back from the last kill
            continue
        if status == 200 and isinstance(run, dict):  # noqa: PLR2004 -- HTTP
            return Answer(http_status=200, status=run["status"], outputs=run["outputs"])
        return Answer(http_status=status, status="", outputs={})
    return Answer(http_status=0, status="", outputs={})


def _doctor(database: Path) -> list[str]:
    """Return what `agpt doctor` finds, with the server at rest."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- only here
    from backend.adapters.storage.doctor import examine as opened  # noqa: PLC0415 -- only here
    from backend.services.doctor import Alive, examine  # noqa: PLC0415 -- only here

    alive = Alive(executor=False, scheduler=False, notifications=False, slots=0)
    with opened(database) as records:
        report = examine(records, alive, now_us=SystemClock().now_us())
    return [
        f"{finding.rule} {one.row}: {one.detail}"
        for finding in report.broken
        for one in finding.broken
    ]


def _ends_by_kind(history: History) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    unknown = {node.run_id for node in history.nodes.values() if node.has_unknown_outcome}
    for run in history.runs.values():
        plan = history.plans.get(run.name)
        if run.parent_id is None and plan is not None:
            end = "COMPLETED, an outcome unknown" if run.id in unknown else run.status
            found.setdefault(plan.kind.value, Counter())[end] += 1
    return {kind: dict(ends.most_common()) for kind, ends in sorted(found.items())}


def _calls_by_effect(history: History) -> dict[str, tuple[int, int]]:
    arrived: Counter[str] = Counter()
    different: Counter[str] = Counter()
    seen = set()
    for call in history.calls:
        plan = history.plans.get(call.run)
        effect = None if plan is None else expected_of(plan).calls.get(call.step)
        name = "unexpected" if effect is None else effect.value
        arrived[name] += 1
        different[name] += (call.run, call.step) not in seen
        seen.add((call.run, call.step))
    return {name: (count, count - different[name]) for name, count in arrived.items()}
