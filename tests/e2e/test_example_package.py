"""Blocks of other packages: the example is installed and runs; a broken one is named, and harmless."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.docs.markdown import blocks, documents
from tests.e2e.conftest import StartServer
from tests.e2e.running import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AGPT = (sys.executable, "-c", "from backend.cli import main; main()")
EXAMPLE = ROOT / "examples" / "agpt-weather-words"
HOWTO = "docs/howto/a-block-in-ten-minutes.md"
OSLO = ("-i", "latitude=59.9", "-i", "longitude=10.7")
BROKEN = "broken_words (broken_words)"
REASON = "RuntimeError: this package cannot be loaded"
LIMIT_S = 120


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example in it."""
    place = tmp_path_factory.mktemp("installed")
    install(EXAMPLE, place)
    return place


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder of packages with one whose import fails, and which prints before it does."""
    place = tmp_path / "broken"
    facts = place / "broken_words-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-words\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[agpt.blocks]\nbroken_words = broken_words\n")
    (place / "broken_words.py").write_text(
        "print('hello')\nraise RuntimeError('this package cannot be loaded')\n"
    )
    return place


@pytest.fixture
def weather() -> Iterator[str]:
    """The origin of a weather service at which it is always 3 degrees, and windy."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Weather) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class Weather(BaseHTTPRequestHandler):
    """Answers like Open-Meteo."""

    def do_GET(self) -> None:
        body = json.dumps({"current": {"temperature_2m": 3, "wind_speed_10m": 40}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Keep quiet."""


def test_the_examples_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")

    code, printed, errors = command(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"),
        tmp_path,
        PYTHONPATH=f"{installed}{os.pathsep}{ROOT}",
    )

    assert code == 0, printed + errors


def test_an_agent_runs_with_the_blocks_of_the_package(
    installed: Path, tmp_path: Path, weather: str
) -> None:
    code, printed, errors = agpt(
        ("run", str(EXAMPLE / "weather.json"), *OSLO, "-i", f"service={weather}"),
        tmp_path,
        installed,
        TRUST_ENDPOINTS_FOR_REQUESTS=weather,
    )

    assert (code, printed, errors) == (0, "weather: cold and windy\n", "")


def test_without_the_package_the_agent_is_refused_with_the_block_it_lacks(tmp_path: Path) -> None:
    code, printed, errors = agpt(("run", str(EXAMPLE / "weather.json"), *OSLO), tmp_path)

    assert (code, printed) == (1, "")
    assert "2efe1357-f2cb-4d17-87ae-c4932e5e926e" in errors
    assert "Traceback" not in errors


def test_the_list_has_good_packages_and_names_broken_ones(
    installed: Path, broken: Path, tmp_path: Path
) -> None:
    code, printed, errors = agpt(("blocks", "list"), tmp_path, installed, broken)

    lines = printed.splitlines()
    assert (code, errors) == (0, "")
    assert any(line.startswith("AddToDictionaryBlock ") for line in lines)
    assert any(line.startswith("DescribeWeatherBlock ") for line in lines)
    assert lines[-1] == f"not loaded: {BROKEN}: {REASON}"


def test_the_list_for_programs_is_json_and_nothing_else(
    installed: Path, broken: Path, tmp_path: Path
) -> None:
    code, printed, _ = agpt(("blocks", "list", "--json"), tmp_path, broken, installed)

    listed = json.loads(printed)
    assert code == 0
    assert "ReadWeatherBlock" in [block["name"] for block in listed["blocks"]]
    assert listed["broken_block_packages"] == {BROKEN: REASON}


def test_a_server_with_a_broken_package_is_healthy_says_so_and_runs_the_good_one(
    start_server: StartServer, installed: Path, broken: Path, weather: str
) -> None:
    server = start_server(
        PYTHONPATH=f"{broken}{os.pathsep}{installed}", TRUST_ENDPOINTS_FOR_REQUESTS=weather
    )
    agent = json.loads((EXAMPLE / "weather.json").read_text())

    health = httpx2.get(f"http://127.0.0.1:{server.ports['AgentServer']}/health", timeout=20)
    graph_id = server.rest.post("/graphs", {"graph": agent})["id"]
    run_id = server.rest.start(graph_id, latitude=59.9, longitude=10.7, service=weather)
    run = server.rest.ended(graph_id, run_id)

    assert health.status_code == 200
    assert health.json()["status"] == "healthy"
    assert health.json()["broken_block_packages"] == {BROKEN: REASON}
    assert (run["status"], run["outputs"]) == ("COMPLETED", {"weather": ["cold and windy"]})


def test_the_commands_and_the_code_of_the_document_do_what_it_says(tmp_path: Path) -> None:
    environment = make_venv(tmp_path / ".venv")
    begin, block, finish, shown, *_ = blocks(documents()[HOWTO])
    made = tmp_path / "agpt-count-vowels" / "agpt_count_vowels" / "block.py"

    first = shell(begin.text, tmp_path, environment)
    own_id = line_with("    id = ", made.read_text())
    made.write_text(block.text.replace(line_with("    id = ", block.text), own_id))
    activate = begin.text.splitlines()[0]
    second = shell(f"{activate}\n{finish.text}", tmp_path, environment)

    assert "2 passed" in first
    assert "3 passed" in second
    assert all(line in second.splitlines() for line in shown.text.splitlines()), second


def line_with(beginning: str, text: str) -> str:
    """Return the one line of *text* that begins so."""
    [line] = [line for line in text.splitlines() if line.startswith(beginning)]
    return line


def install(package: Path, place: Path) -> None:
    """Install *package* into a folder, as into an environment."""
    bin_ = Path(sys.executable).parent
    uv = shutil.which("uv", path=f"{bin_}{os.pathsep}{os.environ['PATH']}")
    assert uv is not None, "`make setup` installs uv"
    options = ("--quiet", "--no-deps", "--python", sys.executable, "--target", str(place))
    subprocess.run([uv, "pip", "install", *options, str(package)], check=True, timeout=LIMIT_S)


def make_venv(place: Path) -> Mapping[str, str]:
    """Make an environment that has all of this one, and return what a shell in it needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    here = next(path for path in sys.path if path.endswith("site-packages"))
    site = next(place.glob("lib/python*/site-packages"))
    (site / "server.pth").write_text(f"{ROOT}\nimport site; site.addsitedir({here!r})\n")
    script = place / "bin" / "agpt"
    script.write_text(f"#!{place}/bin/python\nfrom backend.cli import main\nmain()\n")
    script.chmod(0o755)
    own = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    return {name: text for name, text in os.environ.items() if name not in own}


def shell(commands: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Return what *commands* print; they must succeed."""
    ended = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", commands],
        cwd=folder,
        env={**environment, "AGPT_DATA_DIR": str(folder / "data")},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def agpt(
    arguments: tuple[str, ...], home: Path, *packages: Path, **environment: str
) -> tuple[int, str, str]:
    """Return code, output and errors of `agpt` where *packages* are installed."""
    path = os.pathsep.join(map(str, (*packages, ROOT)))
    return command((*AGPT, *arguments), home, PYTHONPATH=path, **environment)


def command(arguments: tuple[str, ...], home: Path, **environment: str) -> tuple[int, str, str]:
    """Return code, output and errors of a program of somebody who has nothing but a home."""
    ended = subprocess.run(
        arguments,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr
