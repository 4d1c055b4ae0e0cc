"""Each command of `deploy/` is run as it stands, in an empty folder, without a container."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.deploy import reading
from tests.deploy.reading import (
    COMPOSE,
    DEPLOY,
    PORTS,
    UNITS,
    container_of,
    instructions,
    of_kind,
    ours,
    program,
    unit,
)
from tests.e2e.running import free_ports

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

START_S = 90.0
KEY = "a key that only tests use, long enough"


def folder_of_programs(tmp_path: Path) -> Path:
    """Make what the image and the units have below `/opt/agpt`."""
    folder = tmp_path / "opt"
    folder.mkdir()
    (folder / "bin").symlink_to(program("app").parent)
    (folder / "health.py").symlink_to(DEPLOY / "health.py")
    return folder


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command that starts something of ours, with where it stands."""
    for one in instructions():
        if one.name in ("CMD", "ENTRYPOINT"):
            yield "Dockerfile", one.words()
    for name in COMPOSE:
        yield from ((name, one["command"]) for one in ours(name).values() if "command" in one)
    for name, deployment in of_kind("Deployment").items():
        yield f"kubernetes/{name}.yaml", container_of(deployment)["args"]
    for name in UNITS:
        for service in PORTS if "%i" in unit(name)["Service"]["ExecStart"] else [""]:
            yield name, shlex.split(unit(name)["Service"]["ExecStart"].replace("%i", service))


@contextmanager
def started(
    words: list[str], tmp_path: Path, **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in an empty folder, with nothing in its environment but what is given."""
    empty = tmp_path / "empty"
    empty.mkdir(exist_ok=True)
    process = subprocess.Popen(
        words,
        cwd=empty,
        env={"PATH": f"{program('app').parent}:/usr/bin:/bin", "HOME": str(empty), **settings},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0
    assert list(empty.iterdir()) == []


def health(folder: Path, url: str = "") -> "subprocess.CompletedProcess[str]":
    """Do what the image does to see whether it is well."""
    [check] = [one for one in instructions() if one.name == "HEALTHCHECK"]
    words = [word.replace("/opt/agpt", str(folder)) for word in check.words()]
    words[0] = sys.executable
    environment = {"PATH": os.environ["PATH"], **({"HEALTH_URL": url} if url else {})}
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def until_well(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait as a probe does."""
    end = time.monotonic() + START_S
    while process.poll() is None:
        try:
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        assert time.monotonic() < end, f"{url} is not well"
        time.sleep(0.1)
    pytest.fail(f"what answers at {url} has ended")


def test_the_image_alone_is_a_server_and_its_health_check_tells(tmp_path: Path) -> None:
    [command] = [one.words() for one in instructions() if one.name == "CMD"]
    folder = folder_of_programs(tmp_path)
    ports = free_ports(setting.upper() for setting, _ in PORTS.values())
    settings = {**reading.environment_of_image(), **ports}
    # The folder of the image is not on this machine, and nobody else is to reach the test.
    settings |= {"AGPT_DATA_DIR": str(tmp_path / "data"), "JWT_VERIFY_KEY": KEY}
    settings |= {"AGENT_API_HOST": "127.0.0.1", "WEBSOCKET_SERVER_HOST": "127.0.0.1"}
    del settings["PATH"]
    url = f"http://127.0.0.1:{ports['AGENT_API_PORT']}/health"

    assert health(folder, url).returncode == 1
    with started(command, tmp_path, **settings) as server:
        until_well(url, server)
        well = health(folder, url)
        wrong_place = health(folder, f"{url}/nothing")
    gone = health(folder, url)

    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    assert wrong_place.returncode == 1
    assert "404" in wrong_place.stderr
    assert gone.returncode == 1
    assert gone.stderr.startswith(f"{url}: ")


def test_without_an_address_the_health_check_asks_the_rest_service(tmp_path: Path) -> None:
    said = health(folder_of_programs(tmp_path))

    assert said.returncode == 0 or said.stderr.startswith("http://127.0.0.1:8006/health: ")


def test_each_service_alone_answers_the_probes_of_its_manifest(tmp_path: Path) -> None:
    ports = free_ports(setting.upper() for setting, _ in PORTS.values())
    # On one machine they share a data directory, as the units do.
    settings = {**ports, "AGPT_DATA_DIR": str(tmp_path / "data"), "JWT_VERIFY_KEY": KEY}
    containers = [container_of(one) for one in of_kind("Deployment").values()]

    with ExitStack() as stack:
        running = [
            stack.enter_context(started(container["args"], tmp_path, **settings))
            for container in containers
        ]
        for container, process in zip(containers, running, strict=True):
            port = ports[PORTS[container["args"][0]][0].upper()]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                until_well(f"http://localhost:{port}{container[probe]['httpGet']['path']}", process)


@pytest.mark.parametrize("where", sorted({where for where, _ in commands()}))
def test_what_is_started_is_there(where: str, tmp_path: Path) -> None:
    folder = folder_of_programs(tmp_path)
    for name, words in commands():
        if name != where:
            continue
        said = subprocess.run(
            [*(word.replace("/opt/agpt", str(folder)) for word in words), "--version"],
            cwd=tmp_path,
            env={"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert said.returncode == 0, (words, said.stderr)
        assert said.stdout.strip()


def test_what_drains_can_be_run() -> None:
    for one in of_kind("Deployment").values():
        hook = container_of(one).get("lifecycle", {}).get("preStop")
        if hook:
            word, limit = hook["exec"]["command"]
            assert float(limit) > 0
            subprocess.run([word, "0"], env={"PATH": "/usr/bin:/bin"}, check=True, timeout=10)
