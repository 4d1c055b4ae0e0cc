"""The tables of docs/explanation/internet-scale.md: `python -m bench.scale_tables` prints them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from bench.scale import scale
from bench.scale_figures import FIGURES

_SIZES: Final = {
    "rest": "REST services",
    "executors": "executors, of 500 places each",
    "websockets": "WebSocket services, of 10,000 sockets each",
    "database_cores": "cores of PostgreSQL",
}
_NEEDS: Final = {
    "runs_under_way": "runs under way",
    "connections": "connections to PostgreSQL",
    "rows_per_s": "rows a second",
    "log_mb_per_s": "its log, MB a second",
    "kept_gb_per_day": "kept, GB a day",
    "kept_tb": "kept for 90 days, TB",
    "socket_gb": "memory of sockets, GB",
}
_CORES: Final = {
    "rest": "REST services",
    "executors": "executors",
    "websockets": "WebSocket services",
    "database": "PostgreSQL",
    "broker": "RabbitMQ",
    "notification": "the notification service",
}


def tables(*, seconds: float = 20.0) -> str:
    """Return all of them, in the order of the page."""
    found = scale(seconds=seconds)
    return "\n\n".join([_figures(), _needed(found), _simulated(found), _bends(found)]) + "\n"


def _figures() -> str:
    return _table(
        ("figure", "value", "source"),
        (
            (
                f"`{name}`",
                f"{figure.value:g} {figure.unit}",
                figure.source if figure.is_measured else f"**not measured:** {figure.source}",
            )
            for name, figure in FIGURES.items()
        ),
    )


def _needed(found: dict[str, Any]) -> str:
    loads = found["loads"]
    rows: list[Sequence[str]] = [
        ("nodes · waits for the outside", *(_shape(one["load"]) for one in loads.values()))
    ]
    for name, said in _SIZES.items():
        rows.append((said, *(f"{one['size'][name]:,}" for one in loads.values())))
    rows.append(
        (
            "executors, of 100 places (the default)",
            *(f"{one['executors_with_100_places']:,}" for one in loads.values()),
        )
    )
    for name, said in _CORES.items():
        busy = (f"{one['cores_busy'][name]:.2f}" for one in loads.values())
        rows.append((f"cores that {said} keep{'' if said.endswith('s') else 's'} busy", *busy))
    for name, said in _NEEDS.items():
        rows.append((said, *(f"{one['needs'][name]:,.1f}" for one in loads.values())))
    return _table(("", *loads), rows)


def _shape(load: dict[str, Any]) -> str:
    return f"{load['nodes']} · {load['rounds']} of {load['outside_s']:g} s"


def _simulated(found: dict[str, Any]) -> str:
    def row(factor: str, one: dict[str, Any]) -> Sequence[str]:
        spans = (one[name] for name in ("accepted_ms", "begun_ms", "shown_ms"))
        busiest = max(one["busy"].items(), key=lambda pair: float(pair[1]))
        return (
            factor,
            *(f"{span['p50']:,.1f} · {span['p99']:,.1f}" for span in spans),
            f"{one['commits_per_s']:,}",
            f"{busiest[0]}, {busiest[1]:.0%}",
            ", ".join(one["grows"]) or "none",
        )

    head = ("times the load", "accepted", "begun", "shown", "commits/s", "busiest", "only grows")
    return _table(head, (row(factor, one) for factor, one in found["times"].items()))


def _bends(found: dict[str, Any]) -> str:
    loads = found["bends_at_times"]
    parts = sorted(loads["usual"], key=lambda part: float(loads["usual"][part]))
    return _table(
        ("what cannot be more than one", *loads),
        ((part, *(_times(float(one[part])) for one in loads.values())) for part in parts),
    )


def _times(factor: float) -> str:
    return f"{factor:,.2f}" if factor < 10 else f"{factor:,.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ("---", *["---"] * (len(head) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(tables(), end="")
