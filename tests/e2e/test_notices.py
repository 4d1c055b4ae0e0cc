"""People are told how their runs ended, whoever is killed meanwhile."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import templates
from tests.e2e.harness import Server, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def letters(server: Server) -> list[EmailMessage]:
    outbox = server.data_dir / "outbox"
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted(outbox.glob("*.eml"))
    ]


def told(server: Server) -> str:
    return "\n".join(str(letter.get_body(("plain",))) for letter in letters(server))


def test_the_end_of_a_run_is_told_in_a_letter_that_mail_programs_can_read(server: Server) -> None:
    graph = server.rest.add(templates(name="Grüße"))

    run_id = server.rest.start(graph, run="hello")
    [letter] = until(lambda: letters(server) or None, limit_s=30)

    assert letter["To"] == "default@example.com"
    assert letter["Subject"] == "Grüße: completed"
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    for text in (run_id, "5 steps", "answer: hello!!!"):
        assert text in plain.get_content()
        assert text in html.get_content().replace("<bdi>", "").replace("</bdi>", "")
    assert not list((server.data_dir / "outbox").glob("*.tmp"))


def test_no_letter_is_lost_when_its_postman_is_killed(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(templates())
    runs = []
    for number in range(4):
        runs.append(server.rest.start(graph, run=f"run {number}"))
        server.kill("NotificationManager")
        server.wait_ready("NotificationManager")

    until(lambda: all(run_id in told(server) for run_id in runs), limit_s=40)

    def all_sent() -> bool:
        rows = server.rows("SELECT status FROM notices")
        return [row[0] for row in rows] == ["SENT"] * 4

    until(all_sent, limit_s=20)
