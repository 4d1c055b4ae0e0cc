"""Letters of every kind: with what is in them, whatever strangers have named things."""

from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from backend.adapters.mail import as_message
from backend.adapters.mail.letter_templates import MAX_BYTES, load_templates
from backend.core.errors import CannotStart, TooLarge
from backend.core.ids import UserId
from backend.core.notices import NoticeType
from backend.core.records import NoticeRecord
from backend.engine.letter_samples import samples
from backend.engine.letters import TEMPLATES, LetterWriter
from backend.ports.mail import Letter
from backend.sdk.template_limits import TemplateTooExpensive
from backend.sdk.templates import TemplateFailed

WRITER = LetterWriter(load_templates())
HOSTILE = (
    "</p><script>alert(1)</script>",
    "{{ 7 * 7 }}{% for x in y %}",
    "a\r\nBcc: eve@example.com\r\n\r\nbody",
    "nul\0 and bell\a",
    "\u202egnp.exe\u2066 \u200b",
    "half a pair \ud800",
    "x" * 1_000_000,
    "",
)


def run(name: str, **more: object) -> NoticeRecord:
    data = {"agent_name": name, "status": "FAILED", "graph_exec_id": "r", **more}
    return NoticeRecord(id="n", user_id=UserId("ann"), type="AGENT_RUN", data=data, created_us=1)


@pytest.mark.parametrize("kind", NoticeType)
def test_a_letter_of_each_kind_says_the_same_in_text_and_html(kind: NoticeType) -> None:
    shown = samples(kind, now_us=1)

    words = WRITER.write(shown, len(shown), unsubscribe_url="https://s.example/end?a=1&b=2")

    body = LexborHTMLParser(words.html).body
    assert body is not None
    seen = body.text()
    told = ("agent_name", "period", "rule", "error", "reason", "remedy", "comments", "user_name")
    for value in (str(one.data.get(name) or "") for one in shown for name in told):
        if kind is not NoticeType.LOW_BALANCE:
            assert all(line in words.text and line in seen for line in value.split("\n"))
    assert "https://s.example/end?a=1&b=2" in words.text
    assert "https://s.example/end?a=1&amp;b=2" in words.html
    assert "{{" not in words.text + words.html
    assert "None" not in words.text + words.html
    assert words.subject
    assert "src=" not in words.html


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_header_or_a_page(name: str) -> None:
    notice = run(name, error=name, outputs=[{name: [name]}], node_error_count=1)

    words = WRITER.write([notice], 1)
    letter = Letter(
        key="k",
        to="ann@example.com",
        subject=words.subject,
        text=words.text,
        html=words.html,
        sent_us=1,
    )
    raw = as_message(letter, sender="agpt@localhost").as_bytes()

    assert len(words.subject) <= 150
    assert words.subject.isprintable()
    assert "<script" not in words.html
    assert not {"\0", "\a", "\u202e", "\u2066"} & set(words.html + words.text)
    head = raw.partition(b"\n\n")[0]
    assert b"\nBcc:" not in head
    assert len(raw) < 60_000


def test_links_lead_only_to_web_pages() -> None:
    data = {"current_balance": 1, "billing_page_link": "javascript:alert(1)"}
    notice = NoticeRecord(
        id="n", user_id=UserId("ann"), type="LOW_BALANCE", data=data, created_us=1
    )

    assert "javascript" not in WRITER.write([notice], 1).html


def test_a_letter_about_a_great_many_stays_small() -> None:
    text = "word " * 1_000
    notices = [run(f"agent {n}", error=text, outputs=[{"a": [text] * 20}]) for n in range(50)]

    words = WRITER.write(notices, 12_345)

    assert words.subject == "12345 agent runs"
    assert "… and 12295 more." in words.text
    assert "… and 12295 more." in words.html
    assert len(words.html) < 150_000


def test_what_does_not_fit_is_told_shorter() -> None:
    templates = {**load_templates(), "agent_run.html": "{% for one in notices %}" + "x" * 100_000}
    templates["agent_run.html"] += "{% endfor %}"

    words = LetterWriter(templates).write([run(str(n)) for n in range(50)], 50)

    assert "… and 44 more." in words.html


def test_an_operators_template_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "low_balance.txt").write_text("Subject: Top up!\n\n{{ last.current_balance }} left")
    writer = LetterWriter(load_templates(tmp_path))

    words = writer.write(samples(NoticeType.LOW_BALANCE, now_us=1), 1)

    assert (words.subject, words.text) == ("Top up!", "12 left\n")
    assert "12 credits are left" in words.html


def test_a_file_that_is_no_template_or_is_huge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent_runs.html"
    path.write_text("x")
    with pytest.raises(CannotStart, match=r"no template of a letter; these are .*agent_run\.html"):
        load_templates(tmp_path)
    path.rename(tmp_path / "agent_run.html").write_text("x" * (MAX_BYTES + 1))
    with pytest.raises(CannotStart, match="larger than"):
        load_templates(tmp_path)
    with pytest.raises(CannotStart, match="cannot be read"):
        load_templates(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{{ data.__class__.__mro__ }}{{ ''.__class__.mro() }}", TemplateFailed),
        ("{% for a in notices * 10000 %}{% for b in notices * 10000 %}{% endfor %}{% endfor %}",
         TemplateTooExpensive),
        ("{{ 'x' * 100000000 }}", TooLarge),
        ("{% for", TemplateFailed),
    ],
)  # fmt: skip
def test_a_template_cannot_reach_out_or_explode(template: str, error: type[Exception]) -> None:
    writer = LetterWriter({**load_templates(), "agent_run.html": template})

    with pytest.raises(error):
        writer.write([run("a")], 1)


def test_each_kind_has_a_template() -> None:
    names = set(load_templates())

    assert set(TEMPLATES) == set(NoticeType)
    wanted = {f"{name}.{end}" for name in TEMPLATES.values() for end in ("html", "txt")}
    assert names == wanted | {"base.html", "base.txt"}


@pytest.mark.parametrize(
    ("kind", "more", "subject"),
    [
        ("LOW_BALANCE", {}, "Your credits run low: 8 are left"),
        ("ZERO_BALANCE", {"agent_name": "Sample", "shortfall": 2}, "Sample: not enough credits"),
    ],
)
def test_a_letter_about_credits_says_what_is_left_and_where_there_is_more(
    kind: str, more: dict[str, Any], subject: str
) -> None:
    data = {"current_balance": 8, "billing_page_link": "http://front/a?b&c", **more}
    notice = NoticeRecord(id="n", user_id=UserId("ann"), type=kind, data=data, created_us=1)

    words = WRITER.write([notice], 1)

    assert words.subject == subject
    assert "8 credits are left\n" in words.text
    assert "http://front/a?b&c" in words.text
    assert "http://front/a?b&amp;c" in words.html
    assert ("costs 2 more" in words.text) is bool(more)


def test_a_letter_about_a_failure_says_what_failed_and_why() -> None:
    data = {"agent_name": "Sample", "rule": "3 runs in a row failed", "error": "no network"}
    notice = NoticeRecord(
        id="n", user_id=UserId("ann"), type="CONTINUOUS_AGENT_ERROR", data=data, created_us=1
    )

    words = WRITER.write([notice], 1)

    assert words.subject == "Sample: 3 runs in a row failed"
    assert "error: no network" in words.text


def test_the_address_that_ends_letters_is_one_line_that_programs_read() -> None:
    url = "http://127.0.0.1:8006/api/email/unsubscribe?token=" + "Y" * 200
    letter = Letter(
        key="k", to="a@x.org", subject="s", text="t", html="h", sent_us=1, unsubscribe_url=url
    )

    raw = as_message(letter, sender="agpt@localhost").as_bytes()

    assert f"\nList-Unsubscribe: <{url}>\n".encode() in raw.replace(b"\r\n", b"\n")
