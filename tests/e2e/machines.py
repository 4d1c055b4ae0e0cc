"""Executors on machines of their own, whose packets to the servers can be dropped without a word."""

import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx2

from tests.e2e.harness import until
from tests.e2e.members import START_S, Cluster, Member
from tests.e2e.relay import Relay
from tests.network import Machine


class FarMember(Member):
    """One executor on a machine of its own."""

    machine: Machine

    def wait_ready(self, service: str, *, limit_s: float = 30.0) -> None:
        """Ask there: from here its ports cannot be reached."""
        port = self.ports[service]

        def asked() -> bool:
            with suppress(httpx2.TransportError):
                return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
            return False

        until(lambda: self.machine.run(asked), limit_s=limit_s, what=f"{service} to be ready")


def add_far(cluster: Cluster, outside: str, stack: ExitStack) -> FarMember:
    """Start one more executor, on a new machine; *outside* is reached there as it is here."""
    machine = stack.enter_context(Machine())
    ways = {
        "DATABASE_URL": Relay(cluster.url, at=_listening(machine.host)),
        "RABBITMQ_URL": Relay(cluster.broker_url, at=_listening(machine.host)),
    }
    port = urlsplit(outside).port or 0
    there = machine.run(lambda: socket.create_server(("127.0.0.1", port)))
    for way in (*ways.values(), Relay(outside, at=there)):
        stack.callback(way.close)
    urls = {name: way.url.replace("127.0.0.1", machine.host) for name, way in ways.items()}
    made = cluster.prepared("ExecutionManager", kind=FarMember, **urls)
    made.machine = machine
    made.inside = machine.name
    made.start(limit_s=START_S)
    return made


def _listening(host: str) -> socket.socket:
    return socket.create_server((host, 0))
