"""Structured logs and metrics of one process. Traces come with the tracing extra, not from here."""

import logging
import sys
from collections.abc import Sequence
from typing import Final, Self

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from structlog.typing import EventDict, Processor, WrappedLogger

from backend.settings import Settings
from backend.util.logfile import (
    JsonLines,
    PrivateRotatingFile,
    close_log,
    log_path,
    without_query,
)

METRICS_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Libraries that log each request at `info`: ours says what is worth saying.
_TALKATIVE: Final = ("uvicorn.access", "httpx", "httpcore", "websockets", "asyncio")


def configure_logging(settings: Settings, service_name: str, level: str | None = None) -> None:
    """
    Set up the logs of this process: JSON lines in its file, and readable lines on a terminal.

    Twice is harmless. Who calls it ends with `close_logging()` if the process goes on.

    Args:
        settings: Where the data directory is, and the level.
        service_name: Name of the file and a fact of each line.
        level: Instead of the one in *settings*.
    """
    number = logging.getLevelNamesMapping()[(level or settings.log_level).upper()]
    root = logging.getLogger()
    close_log(root)
    file = PrivateRotatingFile(log_path(settings.agpt_data_dir, service_name))
    file.setFormatter(JsonLines())
    root.addHandler(file)
    root.setLevel(number)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=_processors(service_name),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Writers(file),
        cache_logger_on_first_use=False,
    )


def close_logging() -> None:
    """Close the log file. Later lines go where structlog sends them by itself."""
    structlog.reset_defaults()
    close_log(logging.getLogger())


def _processors(service_name: str) -> list[Processor]:
    def add_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service_name
        return event

    def drop_queries(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {k: without_query(v) if isinstance(v, str) else v for k, v in event.items()}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        structlog.processors.format_exc_info,
        drop_queries,
    ]


class _Writers:
    """Makes the loggers that write the finished event into the file and, if it is one, the terminal."""

    def __init__(self, file: PrivateRotatingFile) -> None:
        self._file = file
        self._console = (
            structlog.dev.ConsoleRenderer(colors=True, exception_formatter=_plain)
            if sys.stderr is not None and sys.stderr.isatty()
            else None
        )

    def __call__(self, *_: object) -> Self:
        return self

    def _write(self, **event: object) -> None:
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        # The handler rotates and locks; the record carries nothing but the finished line.
        record = logging.makeLogRecord({"msg": line})
        self._file.acquire()
        try:
            if self._file.shouldRollover(record):
                self._file.doRollover()
            stream = self._file.stream or self._file.reopen()
            stream.write(line + "\n")
            stream.flush()
        finally:
            self._file.release()
        if self._console is not None:
            print(self._console(None, "", dict(event)), file=sys.stderr)  # noqa: T201

    debug = info = warning = error = critical = exception = msg = _write


def _plain(stream: object, exc_info: object) -> None:
    """Render no second traceback: it is already in the event."""


class Metrics:
    """
    The metrics of one process, in a registry of their own: nothing is shared between services.

    Names get the prefix `autogpt_`, which dashboards of the contract expect.
    """

    def __init__(self, service_name: str) -> None:
        self.service_name = service_name
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.gauge("up", "1 while the service runs", ["service"]).labels(service_name).set(1)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Make a counter."""
        return Counter(f"autogpt_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """Make a gauge."""
        return Gauge(f"autogpt_{name}", text, labels, registry=self.registry)

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> Histogram:
        """Make a histogram with upper bounds *buckets*."""
        return Histogram(f"autogpt_{name}", text, labels, registry=self.registry, buckets=buckets)

    def text(self) -> bytes:
        """Return the body of `/metrics`, of type METRICS_CONTENT_TYPE."""
        return generate_latest(self.registry)
