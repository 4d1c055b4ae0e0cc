"""A cluster whose servers speak TLS: it works when they are who they should be, and only then."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from backend.adapters.broker.link import Broker
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.core.errors import CannotStart
from tests.certificates import Authority, Signed
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import KEY, SERVICES, Socket
from tests.e2e.members import Cluster
from tests.e2e.running import ROOT, free_port, free_ports
from tests.private_broker import broker_at
from tests.private_postgres import postgres_at

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

#: They ask for a certificate of ours, and take its name as that of a user.
BROKER = """
listeners.ssl.default = 127.0.0.1:{port}
ssl_options.cacertfile = {authority}
ssl_options.certfile = {own.certificate}
ssl_options.keyfile = {own.key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = EXTERNAL
auth_mechanisms.2 = PLAIN
ssl_cert_login_from = common_name
"""
POSTGRES = """
ssl = on
ssl_ca_file = '{authority}'
ssl_cert_file = '{own.certificate}'
ssl_key_file = '{own.key}'
"""
LET_IN = "hostssl all all 127.0.0.1/32 cert\nhostssl all all ::1/128 cert\n"
#: Long before what is only late would be given up.
AT_ONCE_S = 55.0


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where both are, and the certificates around them."""

    database: str
    broker: str
    plain_broker: str
    authority: Path
    stranger: Path
    at_database: Signed
    at_broker: Signed

    def database_url(self, *, trusts: Path | None = None, host: str = "localhost") -> str:
        """Return the address of PostgreSQL as *host*, for who trusts *trusts*."""
        ours = self.at_database
        return (
            f"{self.database.replace('localhost', host)}?sslmode=verify-full"
            f"&sslrootcert={trusts or self.authority}"
            f"&sslcert={ours.certificate}&sslkey={ours.key}"
        )

    def broker_url(self, *, trusts: Path | None = None, host: str = "localhost") -> str:
        """Return the address of RabbitMQ as *host*, for who trusts *trusts*."""
        ours = self.at_broker
        return (
            f"{self.broker.replace('localhost', host)}?auth=external&cafile={trusts or self.authority}"
            f"&certfile={ours.certificate}&keyfile={ours.key}"
        )


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(folder / "files"), Authority(folder / "other", "stranger")
    port = free_port()
    own, theirs = authority.sign("broker", "localhost"), authority.sign("server", "localhost")
    for name in ("broker", "postgres"):
        (folder / name).mkdir()
    with (
        broker_at(
            folder / "broker",
            settings=BROKER.format(port=port, authority=authority.file, own=own),
            plugins="rabbitmq_auth_mechanism_ssl",
        ) as broker,
        postgres_at(
            folder / "postgres",
            settings=POSTGRES.format(authority=authority.file, own=theirs),
            let_in=LET_IN,
            reads=folder / "files",
        ) as postgres,
    ):
        yield Servers(
            database=f"postgresql://postgres:hunter2@localhost:{urlsplit(postgres.url).port}/postgres",
            broker=f"amqps://guest:hunter2@localhost:{port}/",
            plain_broker=broker.url,
            authority=authority.file,
            stranger=stranger.file,
            # Signed last: a server has its files by now, and these stay ours.
            at_database=authority.sign("postgres"),
            at_broker=authority.sign("guest"),
        )


def agpt(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Have a program of ours come to its end; nobody sees a password."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={
            **os.environ,
            **free_ports(SERVICES.values()),
            "AGPT_DATA_DIR": str(folder / "data"),
            "JWT_VERIFY_KEY": KEY,
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "hunter2" not in done.stdout + done.stderr
    return done


def test_a_cluster_works_over_encrypted_connections(
    servers: Servers, outside: EffectCounter, tmp_path: Path
) -> None:
    cluster = Cluster(
        tmp_path,
        database=servers.database_url(),
        broker=servers.broker_url(),
        TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin,
    )
    try:
        cluster.server.start(limit_s=90)
        graph = cluster.server.rest.add(web_chain(outside.origin, 3))
        socket = Socket(cluster.server)
        socket.subscribe_graph(graph)
        run = cluster.server.rest.start(graph, run="encrypted")

        seen = socket.until_ended()

        socket.close()
        assert seen[-1]["data"]["status"] == "COMPLETED"
        assert len(outside.of("encrypted")) == 3
        assert cluster.server.rest.ended(graph, run)["status"] == "COMPLETED"
        assert _all_encrypted(cluster.url)
        cluster.stop()
    finally:
        cluster.finish()


def _all_encrypted(url: str) -> bool:
    query = (
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
        " WHERE starts_with(application_name, 'agpt-server')"
    )
    with psycopg.connect(url) as connection:
        [(found,)] = connection.execute(query).fetchall()
    return bool(found)


def test_a_check_says_who_cannot_be_trusted_and_why(servers: Servers, tmp_path: Path) -> None:
    strangers = agpt(
        tmp_path, "backend.cli", "config", "check",
        DATABASE_URL=servers.database_url(trusts=servers.stranger),
        RABBITMQ_URL=servers.broker_url(trusts=servers.stranger),
    )  # fmt: skip
    elsewhere = agpt(
        tmp_path, "backend.cli", "config", "check",
        DATABASE_URL=servers.database_url(host="127.0.0.1"),
        RABBITMQ_URL=servers.broker_url(host="127.0.0.1"),
    )  # fmt: skip
    right = agpt(
        tmp_path, "backend.cli", "config", "check",
        DATABASE_URL=servers.database_url(), RABBITMQ_URL=servers.broker_url(),
    )  # fmt: skip

    assert strangers.returncode == elsewhere.returncode == 1
    assert "certificate verify failed; sslrootcert in DATABASE_URL is the file" in strangers.stderr
    assert "lets us not in: its certificate is not accepted: self-signed" in strangers.stderr
    assert "cafile in RABBITMQ_URL is the file of who signed it" in strangers.stderr
    assert 'does not match host name "127.0.0.1"' in elsewhere.stderr
    assert "its certificate is for another host: IP address mismatch" in elsewhere.stderr
    assert right.returncode == 0, right.stderr
    assert "at amqps://localhost" in right.stdout


def test_a_start_is_refused_at_once(servers: Servers, tmp_path: Path) -> None:
    """Who waits for a server that is late must not wait for one that is another's."""
    begin = time.monotonic()
    database = agpt(
        tmp_path, "backend.exec",
        DATABASE_URL=servers.database_url(trusts=servers.stranger),
        RABBITMQ_URL=servers.broker_url(),
    )  # fmt: skip
    migrate_postgres(servers.database_url())
    broker = agpt(
        tmp_path, "backend.exec",
        DATABASE_URL=servers.database_url(), RABBITMQ_URL=servers.broker_url(host="127.0.0.1"),
    )  # fmt: skip

    assert time.monotonic() - begin < AT_ONCE_S
    assert database.returncode == broker.returncode == 1
    assert "certificate verify failed; sslrootcert in DATABASE_URL" in database.stderr
    assert "its certificate is for another host: IP address mismatch" in broker.stderr


async def refused(url: str) -> str:
    """Return why a broker cannot be used; it is not asked twice."""
    broker = Broker(url, service="agpt: test")
    with pytest.raises(CannotStart) as caught:
        await broker.open(wait_s=1.0)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


async def test_what_is_wrong_with_a_broker_or_a_file_is_said(servers: Servers) -> None:
    ours, missing = servers.at_broker, servers.authority.parent / "missing.pem"
    trusting = f"{servers.broker}?cafile={servers.authority}"

    assert "asks for a certificate of ours" in await refused(trusting)
    assert f"no certificates can be read in {missing}: No such file" in await refused(
        f"{servers.broker}?cafile={missing}"
    )
    assert "no certificate or crl found" in await refused(f"{servers.broker}?cafile={ours.key}")
    assert "are no certificate with its key: key values mismatch" in await refused(
        f"{trusting}&certfile={ours.certificate}&keyfile={servers.at_database.key}"
    )
    assert "it speaks no TLS at this port" in await refused(
        servers.plain_broker.replace("amqp:", "amqps:")
    )
    assert "speak TLS? Then it is amqps://" in await refused(
        servers.broker.replace("amqps:", "amqp:")
    )


async def test_a_broker_may_be_taken_as_it_is_when_that_is_said(servers: Servers) -> None:
    ours = servers.at_broker
    url = f"{servers.broker}?auth=external&certfile={ours.certificate}&keyfile={ours.key}"
    broker = Broker(f"{url}&no_verify_ssl=1", service="agpt: test")

    assert "its certificate is not accepted" in await refused(url)
    assert "its certificate is not accepted" in await refused(f"{url}&no_verify_ssl=0")
    await broker.open(wait_s=5.0)
    await broker.close()
