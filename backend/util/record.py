"""`<data>/run/processes.<pid>.json`: who runs and where it answers; for `agpt status` and the next start."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.util.identity import Identity, identify


@dataclass(frozen=True, kw_only=True)
class ServiceRecord:
    """One service as its supervisor sees it."""

    name: str
    state: str
    pid: int
    birth: str
    address: str

    @property
    def identity(self) -> Identity:
        """Who runs it."""
        return Identity(pid=self.pid, birth=self.birth)


@dataclass(frozen=True, kw_only=True)
class ServerRecord:
    """One supervisor and its services."""

    supervisor: Identity
    services: tuple[ServiceRecord, ...]
    vault_keys: tuple[str, ...] = ()  #: fingerprints of the keys that it has read

    def processes(self) -> Iterator[Identity]:
        """Yield everybody, the supervisor first."""
        yield self.supervisor
        for service in self.services:
            yield service.identity


def record_path(data_dir: Path, supervisor_pid: int) -> Path:
    """Return where a supervisor writes; several may share one data directory."""
    return data_dir / "run" / f"processes.{supervisor_pid}.json"


def write_record(
    data_dir: Path, services: Iterable[ServiceRecord], vault_keys: Iterable[str] = ()
) -> None:
    """Replace this process's record at once: a reader sees the old one or the new one."""
    path = record_path(data_dir, os.getpid())
    me = identify(os.getpid())
    assert me is not None
    text = json.dumps(
        {
            "supervisor": asdict(me),
            "services": [asdict(service) for service in services],
            "vault_keys": list(vault_keys),
        }
    )
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def remove_record(path: Path) -> None:
    """Remove a record. Twice is harmless."""
    with suppress(OSError):
        path.unlink()


def read_records(data_dir: Path) -> dict[Path, ServerRecord]:
    """Return all records of *data_dir*. One that cannot be read says nothing and is left out."""
    records: dict[Path, ServerRecord] = {}
    for path in sorted((data_dir / "run").glob("processes.*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            found = json.loads(path.read_text(encoding="utf-8"))
            records[path] = ServerRecord(
                supervisor=Identity(**found["supervisor"]),
                services=tuple(ServiceRecord(**service) for service in found["services"]),
                vault_keys=tuple(found.get("vault_keys", ())),
            )
    return records
