"""One check from its start to its report: servers, load, storm, and the proof at the end."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from backend.adapters.database_place import Place
from backend.core import json
from backend.core.errors import CannotStart
from backend.selfcheck.checker import check
from backend.selfcheck.client import Client, NoAnswer, NotHeard
from backend.selfcheck.counts import calls_by_effect, ends_by_kind
from backend.selfcheck.folder import private_folder
from backend.selfcheck.history import Answer, History, RunRow
from backend.selfcheck.load import Load
from backend.selfcheck.outside import Outside
from backend.selfcheck.plan import StrikePlan, slow_s, strike_plans
from backend.selfcheck.plan_cluster import cluster_plans
from backend.selfcheck.private_database import PrivateDatabase, private_database
from backend.selfcheck.processes import until
from backend.selfcheck.report import Report
from backend.selfcheck.rules import Violation
from backend.selfcheck.scenes import graphs
from backend.selfcheck.site import Site, alone
from backend.selfcheck.storm import Storm
from backend.selfcheck.watcher import Watchers
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
        keep: Keep that folder, and the database, whatever is found.
        servers: Addresses of a PostgreSQL server and of a broker: a cluster is checked, with a
            database of its own there; None: one server on SQLite.
    """

    seed: int
    kills: int
    minutes: float | None = None
    parent: Path | None = None
    keep: bool = False
    servers: tuple[str, str] | None = None


def selfcheck(order: Order, *, on_kill: Callable[[], None] = lambda: None) -> Report:
    """
    Start private servers, kill them again and again under load, and prove their history.

    Args:
        on_kill: Called after each kill.

    Raises:
        CannotStart: If no folder or database can be made, or a server does not start.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        database = stack.enter_context(private_database(*order.servers)) if order.servers else None
        folder = stack.enter_context(private_folder(order.parent))
        work = _Check(order, folder.path, database)

        def keep() -> None:
            folder.keep = True
            if database is not None:
                database.keep = True

        try:
            found = work.run(on_kill)
        except CannotStart as exc:
            if not work.has_struck:
                raise
            keep()
            raise CannotStart(f"{exc} What is left of it is in {folder.path}.") from exc
        report = replace(found, lasted_s=time.monotonic() - began)
        if order.keep or not report.is_clean:
            keep()
            name = "" if database is None else database.name
            report = replace(report, kept=folder.path, kept_database=name)
    return report


class _Check:
    """The parts of one check, and the order in which they work."""

    def __init__(self, order: Order, folder: Path, database: PrivateDatabase | None) -> None:
        self._order = order
        self._outside = Outside(partial(slow_s, order.seed))
        origin = self._outside.origin
        self._site: Site
        if database is None:
            self._site = alone(folder, origin)
        else:
            from backend.selfcheck.cluster import Cluster  # noqa: PLC0415 -- only a cluster needs it

            self._site = Cluster(folder, database, origin)
        self._witness = Witness(self._site.rows)
        self._storm = Storm(self._site, self._witness, self._outside)

    @property
    def has_struck(self) -> bool:
        """Whether anything was done to the server."""
        return bool(self._storm.struck)

    def run(self, on_kill: Callable[[], None]) -> Report:
        """Do all of it; leaves nothing running, whatever happens."""
        with ExitStack() as stack:
            stack.callback(self._outside.close)
            # Whatever happens, nobody of it lives on.
            stack.callback(self._site.kill_all)
            stack.callback(self._site.rows.close)
            self._site.start()
            client = Client(self._site.ports_of("AgentServer"), self._site.key)
            stack.enter_context(client)
            ports = self._site.ports_of("WebsocketServer")
            watchers = Watchers(ports, client.token, self._witness)
            stack.callback(watchers.close)
            load = Load(self._order.seed, client, self._witness, watchers)
            stack.callback(load.close)
            stack.callback(self._witness.close)
            load.save(graphs(self._outside.origin))
            self._witness.start()
            watchers.start()
            load.start()
            self._strike(on_kill)
            return self._prove(client, load, watchers)

    def _strike(self, on_kill: Callable[[], None]) -> None:
        kills, minutes = self._order.kills, self._order.minutes
        pause_s = PAUSE_S if minutes is None else minutes * 60 / kills

        def struck(plan: StrikePlan) -> None:
            if plan.kills:
                on_kill()

        plans = strike_plans if self._order.servers is None else cluster_plans
        self._storm.run(plans(self._order.seed, kills, pause_s=pause_s), struck)

    def _prove(self, client: Client, load: Load, watchers: Watchers) -> Report:
        load.enough()
        until(lambda: self._witness.unfinished() == 0, limit_s=DRAIN_S)
        until(lambda: not watchers.waits, limit_s=_EVENTS_S)
        load.close()
        watchers.close()
        self._witness.close()
        self._witness.look()
        runs, nodes = self._witness.rows()
        answers = self._answers(client, runs)
        surprises = [*self._storm.surprises, *self._site.stop()]
        owners = {row.owner for row in runs.values() if row.owner}
        left = self._site.left_behind(owners)
        history = History(
            plans=load.plans,
            accepted=load.accepted,
            calls=self._outside.calls(),
            interruptions=self._storm.interruptions,
            seen_runs=self._witness.seen_runs,
            seen_nodes=self._witness.seen_nodes,
            runs=runs,
            nodes=nodes,
            told=watchers.told,
            followed=watchers.followed,
            answers=answers,
            broken=_doctor(self._site.place),
            defects=self._site.defects(),
            left=left,
            surprises=surprises,
        )
        _write_down(self._site.diary.parent, history)
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
            runs=ends_by_kind(history),
            nodes=len(history.nodes),
            calls=calls_by_effect(history),
            recoveries_s=sorted(self._witness.recoveries_s),
            slowest_run=self._witness.slowest[1],
            takeovers_s=sorted(self._storm.takeovers_s),
            events=(len(history.told), len(history.followed)),
            unanswered=load.unanswered,
            refused=load.refused,
            violations=violations,
        )


def _write_down(folder: Path, history: History) -> None:
    """Write down what arrived outside, and how runs changed: with the database the whole story."""
    with (folder / "calls.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{json.text(asdict(call))}\n" for call in history.calls)
    with (folder / "runs.jsonl").open("w", encoding="utf-8") as file:
        for rows in history.seen_runs.values():
            file.writelines(f"{json.text(asdict(row))}\n" for row in rows)


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


def _doctor(database: Place) -> list[str]:
    """Return what `agpt doctor` finds, with the servers at rest."""
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
