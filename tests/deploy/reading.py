"""The files of `deploy/`, read: what is started in them, with which settings, on which ports."""

import configparser
import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.house.source import ROOT

DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final = ("compose.yaml", "compose.cluster.yaml")
#: By the program that is started: the setting of its port, and what it is by default.
PORTS: Final = {
    "rest": ("agent_api_port", 8006),
    "ws": ("websocket_server_port", 8001),
    "executor": ("execution_manager_port", 8002),
    "scheduler": ("execution_scheduler_port", 8003),
    "db": ("database_api_port", 8005),
    "notification": ("notification_service_port", 8007),
}
#: Names in environments that are of others: of the health check, of Python, of PostgreSQL.
OTHERS: Final = frozenset(
    {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "HEALTH_URL",
     "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD",
     "RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD",
     "UV_COMPILE_BYTECODE", "UV_LINK_MODE", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON_DOWNLOADS"}
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    text: str

    def words(self) -> list[str]:
        """Return the words of a command in the form that needs no shell."""
        _, bracket, rest = self.text.partition("[")
        words: list[str] = json.loads(bracket + rest)
        return words


@cache
def instructions() -> tuple[Instruction, ...]:
    """Return what the Dockerfile says."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return tuple(
        Instruction(name=words[0], text=words[2].strip())
        for line in joined.splitlines()
        if (words := line.partition(" "))[0]
    )


def environment_of_image() -> dict[str, str]:
    """Return what the second stage sets."""
    stages = [place for place, one in enumerate(instructions()) if one.name == "FROM"]
    found: dict[str, str] = {}
    for one in instructions()[stages[-1] :]:
        if one.name == "ENV":
            found |= dict(word.split("=", 1) for word in shlex.split(one.text))
    return found


@cache
def compose(name: str) -> dict[str, Any]:
    """Return a compose file, its `<<` merged."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return found


def ours(name: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file that run our image."""
    return {
        service: facts
        for service, facts in compose(name)["services"].items()
        if "agpt-server" in facts["image"]
    }


@cache
def manifests() -> tuple[dict[str, Any], ...]:
    """Return all objects for Kubernetes, in the order of `kustomization.yaml`."""
    folder = DEPLOY / "kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    return tuple(
        one
        for name in listed["resources"]
        for one in yaml.safe_load_all((folder / name).read_text(encoding="utf-8"))
    )


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of one kind by name."""
    return {one["metadata"]["name"]: one for one in manifests() if one["kind"] == kind}


def container_of(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return the only container of a Deployment."""
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


@cache
def unit(name: str) -> dict[str, dict[str, str]]:
    """Return a unit of systemd; of a name that stands twice in a section the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # names have capitals
    parser.read_string((DEPLOY / "systemd" / name).read_text(encoding="utf-8"))
    return {section: dict(parser[section]) for section in parser.sections()}


UNITS: Final = ("agpt.service", "agpt@.service")


def names_in_environments() -> Iterator[tuple[str, str]]:
    """Yield each name that is put into an environment of ours, with where."""
    for one in instructions():
        if one.name == "ENV":
            yield from (("Dockerfile", word.partition("=")[0]) for word in shlex.split(one.text))
    for name in COMPOSE:
        for facts in compose(name)["services"].values():
            yield from ((name, one) for one in facts.get("environment", {}))
    for config in of_kind("ConfigMap").values():
        yield from (("kubernetes/settings.yaml", one) for one in config["data"])
    for name in UNITS:
        for word in shlex.split(unit(name)["Service"]["Environment"]):
            yield name, word.partition("=")[0]
    yield from (("agpt.env.example", name) for name in example())


def example() -> dict[str, str]:
    """Return what the example of an environment file says."""
    text = (DEPLOY / "agpt.env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def seconds(text: str) -> float:
    """Return what `90s` or `90` says."""
    return float(str(text).removesuffix("s"))


def program(name: str) -> Path:
    """Return a program of ours, as it is installed here."""
    return Path(sys.executable).with_name(name)
