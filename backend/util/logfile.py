"""Log files of the server: JSON lines in `<data>/logs`, 10 files of 10 MB each, for this user only."""

import json
import logging
import os
import re
import time
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

_FILE_BYTES: Final = 10 * 1024 * 1024
_OLD_FILES: Final = 9  # and the one that is written
#: What follows the question mark of an address may be a token.
_QUERY: Final = re.compile(r"(?<=[\w/=.-])\?[^\s\"'<>]+=[^\s\"'<>]*")
_NOT_FACTS: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "color_message",  # of uvicorn: the event again, with colours
}


class PrivateRotatingFile(RotatingFileHandler):
    """A rotating file with mode 0600 from its first byte on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_FILE_BYTES, backupCount=_OLD_FILES, encoding="utf-8")

    def reopen(self) -> TextIOWrapper:
        """Open the file again after a rotation has closed it."""
        self.stream = self._open()
        return self.stream

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")


class JsonLines(logging.Formatter):
    """One JSON object per record; facts given with `extra` stand beside the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "timestamp": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": without_query(record.getMessage()),
        }
        line.update({k: v for k, v in vars(record).items() if k not in _NOT_FACTS})
        if record.exc_info:
            line["exception"] = without_query(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


def without_query(text: str) -> str:
    """Return *text* without what follows the question mark of addresses in it."""
    return _QUERY.sub("?…", text)


def timestamp(seconds: float) -> str:
    """Return the moment as ISO 8601 in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def log_path(data_dir: Path, service_name: str) -> Path:
    """Return where a service writes its log."""
    return data_dir / "logs" / f"{service_name}.log"


def supervisor_log(data_dir: Path) -> logging.Logger:
    """Return the supervisor's log. It has no structlog: that would double the supervisor's memory."""
    logger = logging.getLogger("agpt.supervisor")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    close_log(logger)
    handler = PrivateRotatingFile(log_path(data_dir, "Supervisor"))
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    return logger


def close_log(logger: logging.Logger) -> None:
    """Close the files of *logger*. Twice is harmless."""
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
