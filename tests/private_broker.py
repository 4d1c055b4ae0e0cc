"""A RabbitMQ of the tests' own, which they may stop: no root, no service, nothing outside a folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.running import free_port

#: Where Debian and the archive of its makers put the programs.
_PLACES = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/sbin")
_START_S = 90.0


class PrivateBroker:
    """One node, started when made."""

    def __init__(
        self, folder: Path, port: int, node: str, *, settings: str = "", plugins: str = ""
    ) -> None:
        """
        Start it.

        Args:
            settings: Further lines of its rabbitmq.conf.
            plugins: Their names, with commas.
        """
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/"
        config = folder / "rabbitmq.conf"
        lines = f"listeners.tcp.default = 127.0.0.1:{port}\n{settings}"
        config.write_text(lines, encoding="ascii")
        (folder / "plugins").write_text(f"[{plugins}].\n", encoding="ascii")
        self._environment = {
            **os.environ,
            "HOME": str(folder),  # where Erlang keeps its cookie
            "RABBITMQ_NODENAME": node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        self._output = (folder / "output").open("wb")
        self._process = subprocess.Popen(
            [_program("rabbitmq-server")],
            env=self._environment,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        """Wait until it takes connections."""
        begin = time.monotonic()
        while time.monotonic() - begin < _START_S:
            assert self._process.poll() is None, "the broker has ended at once; see its output"
            if self._control("await_startup", check=False) == 0:
                return
            time.sleep(0.5)
        raise AssertionError("the broker has not started in time")

    def stop_application(self) -> None:
        """End all connections and forget what is not durable, as a restart does."""
        self._control("stop_app")

    def start_application(self) -> None:
        """Let it work again."""
        self._control("start_app")

    def alarm(self, what: str = "memory") -> None:
        """Let it be short of *what*, memory or disk: it stops reading from who publishes."""
        if what == "disk":
            self._control("set_disk_free_limit", "900GB")
        else:
            self._control("set_vm_memory_high_watermark", "absolute", "1MB")

    def end_alarm(self) -> None:
        """Give it memory and disk again."""
        self._control("set_vm_memory_high_watermark", "0.4")
        self._control("set_disk_free_limit", "1MB")

    def close(self) -> None:
        """End the node."""
        if self._process.poll() is None:
            self._control("stop", check=False)
        try:
            self._process.wait(30.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _control(self, *arguments: str, check: bool = True) -> int:
        return subprocess.run(
            [_program("rabbitmqctl"), "-q", *arguments],
            env=self._environment,
            check=check,
            capture_output=True,
            timeout=_START_S,
        ).returncode


@contextmanager
def broker_at(folder: Path, **options: str) -> Iterator[PrivateBroker]:
    """A broker that nobody else uses; without RabbitMQ's programs the test is skipped."""
    if not _program("rabbitmq-server"):
        message = "the programs of RabbitMQ are needed: rabbitmq-server, rabbitmqctl"
        if os.environ.get("AGPT_REQUIRE_SERVICES", "") in ("", "0"):
            pytest.skip(message)
        pytest.fail(message, pytrace=False)
    port = free_port()
    made = PrivateBroker(folder, port, f"agpt-{port}@localhost", **options)
    try:
        made.wait()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def private_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    """See `broker_at`."""
    with broker_at(tmp_path_factory.mktemp("rabbitmq")) as made:
        yield made


def _program(name: str) -> str:
    """Return the path of a program; not that of Debian's wrapper, which root alone may use."""
    return shutil.which(name, path=os.pathsep.join(_PLACES)) or ""
