"""A service that is missing is never overlooked in CI."""

import socket

import pytest

from tests import services
from tests.services import require_service

_NOBODY = "postgresql://127.0.0.1:1/test"


def test_without_the_service_a_test_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGPT_TEST_POSTGRES_URL", _NOBODY)
    monkeypatch.delenv("AGPT_REQUIRE_SERVICES", raising=False)

    with pytest.raises(pytest.skip.Exception, match="nothing answers there"):
        require_service("postgres")


def test_where_services_are_required_the_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGPT_TEST_POSTGRES_URL", _NOBODY)
    monkeypatch.setenv("AGPT_REQUIRE_SERVICES", "1")

    with pytest.raises(pytest.fail.Exception, match="postgres is needed"):
        require_service("postgres")


def test_a_service_that_answers_is_given_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"amqp://127.0.0.1:{server.getsockname()[1]}/test"
        monkeypatch.setenv("AGPT_TEST_RABBITMQ_URL", address)

        given = require_service("rabbitmq")

    assert given == address


def test_without_an_address_the_usual_one_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGPT_TEST_RABBITMQ_URL", raising=False)
    monkeypatch.setattr(services, "_problem_with", lambda _, address: f"asked {address}")
    monkeypatch.delenv("AGPT_REQUIRE_SERVICES", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"asked amqp://guest:guest@127\.0\.0\.1:5672/"):
        require_service("rabbitmq")
