"""What is in `deploy/` can be read by those it is for, and says what is true of this program."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import kubernetes_validate
import pytest

from backend.settings import SECRETS, Settings
from tests.deploy import reading
from tests.deploy.reading import (
    COMPOSE,
    DEPLOY,
    OTHERS,
    PORTS,
    UNITS,
    compose,
    container_of,
    instructions,
    manifests,
    of_kind,
    ours,
    seconds,
    unit,
)
from tests.house.source import ROOT, texts

KEYS = {"JWT_VERIFY_KEY", "ENCRYPTION_KEY", "UNSUBSCRIBE_SECRET_KEY", "INSTANCE_KEY"}
PROGRAMS = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"])


def test_each_name_in_an_environment_is_a_setting() -> None:
    unknown = [
        f"{where}: {name}"
        for where, name in reading.names_in_environments()
        if name not in OTHERS and name.lower() not in Settings.model_fields
    ]

    assert unknown == []


def test_each_variable_that_a_compose_file_asks_for_stands_in_the_example() -> None:
    for name in COMPOSE:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        asked = set(re.findall(r"\$\{(\w+)", text))
        assert asked - {"AGPT_IMAGE"} <= set(reading.example()), name


def test_no_secret_has_a_value() -> None:
    assert set(reading.example().values()) == {""}
    secret = {name.upper() for name in SECRETS} | {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"}
    for name in COMPOSE:
        for facts in compose(name)["services"].values():
            for key, value in facts.get("environment", {}).items():
                if key in secret | {"RABBITMQ_DEFAULT_PASS"}:
                    assert re.fullmatch(r"\$\{\w+:[?-][^}]*\}", value), (name, key)
                    assert not re.search(r":-.+\}", value), (name, key)
    assert not of_kind("Secret")
    for config in of_kind("ConfigMap").values():
        assert not secret & config["data"].keys()


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_asks_for_all_keys_and_stays_on_this_machine(name: str) -> None:
    for service, facts in ours(name).items():
        asked = {
            key for key, value in facts["environment"].items() if str(value).startswith("${")
            and ":?" in str(value)
        }  # fmt: skip
        assert asked >= KEYS, service
    for service, facts in compose(name)["services"].items():
        for port in facts.get("ports", []):
            assert port.startswith("127.0.0.1:"), (service, port)


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_names_only_what_it_has(name: str) -> None:
    file = compose(name)
    services, volumes = file["services"], set(file["volumes"])
    for service, facts in services.items():
        assert set(facts.get("depends_on", {})) <= set(services), service
        for needed in facts.get("depends_on", {}):
            assert "healthcheck" in services[needed], (service, needed)
        mounted = {one.partition(":")[0] for one in facts.get("volumes", [])}
        assert mounted <= volumes, service
        if "build" in facts:
            folder = DEPLOY / facts["build"]["context"]
            assert (folder / facts["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


def test_the_cluster_has_several_of_what_may_be_several() -> None:
    services = ours("compose.cluster.yaml")
    counts = {
        facts["command"][0]: facts.get("deploy", {}).get("replicas", 1)
        for facts in services.values()
    }

    assert counts == {
        "db": 1, "scheduler": 1, "notification": 1, "executor": 3, "rest": 2, "ws": 2
    }  # fmt: skip
    for facts in services.values():
        assert facts["environment"]["DATABASE_URL"].startswith("postgresql://")
        assert facts["environment"]["RABBITMQ_URL"].startswith("amqp://")


def test_who_is_started_is_a_program_of_ours_on_its_own_port() -> None:
    defaults = {
        name: Settings.model_fields[setting].default for name, (setting, _) in PORTS.items()
    }
    assert defaults == {name: port for name, (_, port) in PORTS.items()}
    for facts in ours("compose.cluster.yaml").values():
        [word] = facts["command"]
        assert word in PROGRAMS
        url = facts["environment"].get("HEALTH_URL", "http://127.0.0.1:8006/health")
        assert re.fullmatch(rf"http://(localhost|127\.0\.0\.1):{PORTS[word][1]}/health", url), word
        published = {int(port.rpartition(":")[2]) for port in facts.get("ports", [])}
        assert published <= {PORTS[word][1]}
    exposed = [one.text for one in instructions() if one.name == "EXPOSE"]
    assert exposed == [f"{PORTS['rest'][1]} {PORTS['ws'][1]}"]
    whole = compose("compose.yaml")["services"]["agpt"]["ports"]
    assert whole == ["127.0.0.1:8006:8006", "127.0.0.1:8001:8001"]


def test_on_kubernetes_too() -> None:
    deployments, services = of_kind("Deployment"), of_kind("Service")
    assert {container_of(one)["args"][0] for one in deployments.values()} == set(PORTS)
    for name, one in deployments.items():
        container = container_of(one)
        port = PORTS[container["args"][0]][1]
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert services[name]["spec"]["ports"][0]["port"] == port
        paths = {
            probe: container[probe]["httpGet"]["path"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {
            "startupProbe": "/health/live",
            "livenessProbe": "/health/live",
            "readinessProbe": "/health",
        }
    allowed = {
        port["port"]
        for entry in of_kind("NetworkPolicy")["metrics"]["spec"]["ingress"]
        for port in entry["ports"]
    }
    assert allowed == {port for _, port in PORTS.values()}


def test_who_stops_has_the_time_that_it_is_given() -> None:
    """The hook that drains, STOP_LIMIT_S for each service in turn, and something to spare."""
    limit_s = seconds(of_kind("ConfigMap")["agpt"]["data"]["STOP_LIMIT_S"])
    for name, one in of_kind("Deployment").items():
        hook = container_of(one).get("lifecycle", {}).get("preStop")
        drain_s = seconds(hook["exec"]["command"][1]) if hook else 0
        grace_s = one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace_s >= drain_s + limit_s + 5, name
        if name in ("rest", "websocket"):
            assert drain_s >= 5, name
    for file in COMPOSE:
        for name, facts in ours(file).items():
            limit_s = seconds(facts["environment"]["STOP_LIMIT_S"])
            assert seconds(facts["stop_grace_period"]) >= limit_s + 10, name
    for name in UNITS:
        service = unit(name)["Service"]
        [limit] = re.findall(r"STOP_LIMIT_S=(\d+)", service["Environment"])
        assert seconds(service["TimeoutStopSec"]) >= seconds(limit) + 10, name


def test_nobody_is_root_or_writes_outside_of_the_volumes() -> None:
    assert [one.text for one in instructions() if one.name == "USER"] == ["10001:10001"]
    for one in of_kind("Deployment").values():
        pod, container = one["spec"]["template"]["spec"], container_of(one)
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {one["mountPath"] for one in container["volumeMounts"]} == {"/data", "/tmp"}
    for file in COMPOSE:
        for name, facts in ours(file).items():
            assert (facts["read_only"], facts["cap_drop"]) == (True, ["ALL"]), name
            places = [one.partition(":")[2].partition(":")[0] for one in facts.get("volumes", [])]
            places += [one.partition(":")[0] for one in facts["tmpfs"]]
            assert sorted(places) == ["/data", "/tmp"], name


def test_what_is_selected_is_there() -> None:
    labels = [
        one["spec"]["template"]["metadata"]["labels"] for one in of_kind("Deployment").values()
    ]
    for one in manifests():
        for wanted in _selected(one):
            assert any(wanted.items() <= found.items() for found in labels), one["metadata"]
    scaled = [one["spec"] for one in of_kind("HorizontalPodAutoscaler").values()]
    for spec in scaled:
        target = of_kind("Deployment")[spec["scaleTargetRef"]["name"]]
        assert spec["minReplicas"] >= target["spec"]["replicas"]
    several = {name for name, one in of_kind("Deployment").items() if one["spec"]["replicas"] > 1}
    assert set(of_kind("PodDisruptionBudget")) == several


def test_executors_are_counted_by_metrics_that_there_are() -> None:
    """Metrics are made as `gauge("runs_waiting", …)`, and shown with `autogpt_` before it."""
    asked = {
        metric["external"]["metric"]["name"]
        for metric in of_kind("HorizontalPodAutoscaler")["executor"]["spec"]["metrics"]
    }
    made = "".join(text for name, text in texts().items() if name.startswith("backend/"))

    assert len(asked) == 2
    assert [name for name in asked if f'"{name.removeprefix("autogpt_")}"' not in made] == []


def _selected(one: dict[str, Any]) -> list[dict[str, str]]:
    spec = one.get("spec", {})
    if one["kind"] == "Service":
        return [spec["selector"]]
    selectors = [spec.get("selector", {}), spec.get("podSelector", {})]
    return [selector["matchLabels"] for selector in selectors if "matchLabels" in selector]


@pytest.mark.slow
def test_kubernetes_knows_all_fields() -> None:
    for one in manifests():
        kubernetes_validate.validate(one, "1.30", strict=True)
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_a_manifest_with_a_wrong_field_is_refused() -> None:
    """Else the test before could not fail."""
    wrong = {**of_kind("Service")["rest"], "spec": {"ports": [], "selektor": {}}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.slow
def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    said = subprocess.run(
        [hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (said.stdout, said.returncode) == ("", 0)


def test_the_image_is_built_of_what_is_locked_by_the_same_uv() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    setup = (ROOT / "tools" / "setup.sh").read_text(encoding="utf-8")
    [version] = re.findall(r"^uv_version=(\S+)$", setup, re.MULTILINE)
    assert f"uv=={version}" in text
    for run in re.findall(r"uv sync (.*)", text):
        assert {"--frozen", "--no-dev"} <= set(run.split())
    copied = what_is_copied()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= copied


@pytest.mark.slow
def test_what_the_image_is_built_of_is_enough_for_the_package(tmp_path: Path) -> None:
    for name in what_is_copied():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, place)
    hatchling = Path(sys.executable).with_name("hatchling")

    said = subprocess.run(
        [hatchling, "build", "-t", "wheel"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr
    [wheel] = (tmp_path / "dist").glob("*.whl")
    with ZipFile(wheel) as package:
        names = set(package.namelist())
    assert {"backend/app.py", "backend/shipped_docs/howto/scale.md"} <= names


def what_is_copied() -> set[str]:
    """Return what the Dockerfile takes from the checkout."""
    return {
        word
        for one in instructions()
        if one.name == "COPY" and not one.text.startswith("--from")
        for word in one.text.split()[:-1]
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_all_that_a_unit_says(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
    # It wants the program to be there, and a name for what a template stands for.
    place = tmp_path / name.replace("@.", "@rest.")
    place.write_text(
        re.sub(r"^ExecStart=.*$", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
    )

    said = subprocess.run(
        ["systemd-analyze", "verify", place], capture_output=True, text=True, check=False
    )

    assert [line for line in said.stderr.splitlines() if place.name in line] == []
    assert said.returncode == 0
