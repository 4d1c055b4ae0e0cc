"""What works on a data directory now, for commands that look at its rows."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backend.core.ids import ExecutionId
    from backend.ports.why import EngineFacts
    from backend.services.doctor import Alive
    from backend.settings import Settings

#: An executor that does not answer so soon is told of as one that says nothing.
_ANSWER_S: Final = 5.0


def alive_on(settings: "Settings") -> "Alive":
    """Return which services run, and a way to ask the executor."""
    from backend.core.cron import Dialect  # noqa: PLC0415 -- `agpt --help` does without
    from backend.discovery import load_catalog  # noqa: PLC0415 -- the same
    from backend.services.doctor import Alive  # noqa: PLC0415 -- the same
    from backend.util.identity import is_alive  # noqa: PLC0415 -- the same
    from backend.util.record import read_records  # noqa: PLC0415 -- the same

    running = {
        service.name: service.address
        for record in read_records(settings.agpt_data_dir).values()
        for service in record.services
        if is_alive(service.identity)
    }
    executor = running.get("ExecutionManager")

    def ask(ids: "Sequence[ExecutionId]") -> "EngineFacts | None":
        return _ask(settings, executor, ids) if executor else None

    return Alive(
        executor=executor is not None,
        scheduler="Scheduler" in running,
        notifications="NotificationManager" in running,
        slots=settings.num_graph_workers,
        dialect=Dialect(settings.cron_dialect),
        catalog=load_catalog(),
        ask=ask,
    )


def _ask(settings: "Settings", address: str, ids: "Sequence[ExecutionId]") -> "EngineFacts | None":
    from backend.adapters.internal_calls import InternalCaller  # noqa: PLC0415 -- see above
    from backend.core.errors import Unavailable  # noqa: PLC0415 -- the same
    from backend.ports.why import facts_of  # noqa: PLC0415 -- the same

    host, _, port = address.rpartition(":")
    key = settings.instance_key.get_secret_value()
    caller = InternalCaller(host.strip("[]"), int(port), key=key)
    try:
        return facts_of(asyncio.run(caller.call("why", list(ids), limit_s=_ANSWER_S)))
    except (Unavailable, KeyError, TypeError, ValueError):
        return None  # the rows say most of it
