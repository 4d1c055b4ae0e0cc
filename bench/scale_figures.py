"""What the simulation of scale.py is fed with: each figure with where it comes from."""

from dataclasses import dataclass
from typing import Final

_PERFORMANCE: Final = "docs/explanation/performance.md"
#: How these were measured is told on the page that scale_tables.py is for.
_CLUSTER: Final = "W1, clustered"
_CHAIN: Final = "W2, 100 nodes, PostgreSQL"
_BUS: Final = "the bus alone"
_SOCKETS: Final = "1,500 sockets"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number. *is_measured* is False for what nobody has measured here: a guess, named so."""

    value: float
    unit: str
    source: str
    is_measured: bool = True


#: By name. Times are CPU of one core.
FIGURES: Final = {
    "rest_run_ms": Figure(value=0.435, unit="ms a run", source=_CLUSTER),
    "rest_read_ms": Figure(
        value=0.9, unit="ms a read", source=f"{_PERFORMANCE}: a run with its nodes, p50 of time"
    ),
    "executor_run_ms": Figure(value=0.535, unit="ms a run without its nodes", source=_CLUSTER),
    "executor_node_ms": Figure(value=0.070, unit="ms a node", source=_CHAIN),
    "notification_run_ms": Figure(value=0.105, unit="ms a run", source=_CLUSTER),
    "database_run_ms": Figure(value=0.34, unit="ms a run without its nodes", source=_CLUSTER),
    "database_node_ms": Figure(value=0.045, unit="ms a node", source=_CHAIN),
    "log_run_kb": Figure(value=7.7, unit="KB a run without its nodes", source=_CLUSTER),
    "log_node_kb": Figure(value=0.54, unit="KB a node", source=_CHAIN),
    "kept_run_kb": Figure(value=5.3, unit="KB a run without its nodes", source=_CLUSTER),
    "kept_node_kb": Figure(value=0.41, unit="KB a node", source=_CHAIN),
    "hint_ms": Figure(
        value=0.53, unit="ms of the broker a run", source="300 hints a second, one by one"
    ),
    "event_broker_ms": Figure(value=0.021, unit="ms of the broker an event", source=_BUS),
    "event_publisher_ms": Figure(
        value=0.030, unit="ms an event", source=f"{_BUS}; half of both sides"
    ),
    "event_socket_ms": Figure(
        value=0.070, unit="ms an event and socket", source=f"{_PERFORMANCE}: live events"
    ),
    "connect_ms": Figure(value=1.22, unit="ms a socket that comes", source=_SOCKETS),
    "socket_kb": Figure(value=39.4, unit="KB a socket", source=_SOCKETS),
    "connections": Figure(
        value=2, unit="of a process to the database", source="backend/adapters/storage/database.py"
    ),
    "flush_ms": Figure(
        value=1.0,
        unit="ms a commit waits for the disk",
        source="a guess for a disk in a data centre; 0.2 and 4 ms were seen here",
        is_measured=False,
    ),
    "retention_step_ms": Figure(
        value=5.0,
        unit="ms to delete 150 rows",
        source="a guess: a flush, the network, and 20 µs a row",
        is_measured=False,
    ),
    "network_ms": Figure(
        value=0.5,
        unit="ms there and back",
        source="a guess for machines in one data centre",
        is_measured=False,
    ),
}


def of(name: str) -> float:
    """Return a figure by name; times in seconds."""
    figure = FIGURES[name]
    return figure.value / 1000 if figure.unit.startswith("ms") else figure.value
