"""Gmail: a mail with all its parts, an answer that stays in its conversation."""

from typing import Any

import pytest

from backend.blocks.google.gmail_drafts import GmailCreateDraftBlock, GmailDraftReplyBlock
from backend.blocks.google.gmail_forward import GmailForwardBlock
from backend.blocks.google.gmail_labels import GmailAddLabelBlock
from backend.blocks.google.gmail_read import GmailReadBlock
from backend.blocks.google.gmail_send import GmailReplyBlock, GmailSendBlock
from backend.blocks.google.gmail_thread import GmailGetThreadBlock
from backend.core.errors import BlockError, ServiceLimited
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import Reply, StandIn

MINE = {"id": "mine", "provider": "google", "type": "oauth2"}
MAIL: dict[str, Any] = {"to": ["bob@example.com"], "subject": "Hi", "body": "", "credentials": MINE}


async def test_a_mail_with_a_page_and_a_file_arrives_whole(
    services: StandIn, played: BlockContext
) -> None:
    asked = {
        **MAIL,
        "subject": "Grüße",
        "body": "<p>Good</p><p>day</p>",
        "bcc": ["eve@example.com"],
        "attachments": ["data:text/csv;base64,YSxi"],
    }

    await outputs_of(GmailSendBlock(), asked, played)

    sent = services.play("google").sent[-1]
    assert (sent["Subject"], sent["To"], sent["Bcc"]) == (
        "Grüße",
        "bob@example.com",
        "eve@example.com",
    )
    assert sent["Message-ID"]
    assert sent.get_body(("plain",)).get_content().split() == ["Good", "day"]
    assert sent.get_body(("html",)).get_content().strip() == "<p>Good</p><p>day</p>"
    [file] = list(sent.iter_attachments())
    assert (file.get_content_type(), file.get_content()) == ("text/csv", "a,b")


async def test_an_answer_stays_in_its_conversation(services: StandIn, played: BlockContext) -> None:
    asked = {"threadId": "t1", "parentMessageId": "m1", "body": "Fine", "credentials": MINE}

    await outputs_of(GmailReplyBlock(), {**asked, "replyAll": True}, played)

    sent = services.play("google").sent[-1]
    assert (sent["Subject"], sent["To"], sent["Cc"]) == ("Re: Hello", "Bob <bob@example.com>", None)
    assert sent["In-Reply-To"] == "<m1@example.com>"
    assert sent["References"] == "<m0@example.com> <m1@example.com>"
    assert services.asked[-1].json()["threadId"] == "t1"


async def test_all_pages_are_read_and_a_page_of_html_becomes_text(played: BlockContext) -> None:
    outputs = await outputs_of(GmailReadBlock(), {"max_results": 5, "credentials": MINE}, played)

    assert [name for name, _ in outputs] == ["email", "email", "emails"]
    assert [mail["id"] for mail in outputs[-1][1]] == ["m1", "m2"]
    assert outputs[1][1]["body"] == "How are you?"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": ["bob@example.com\r\nBcc: all@example.com"]}, "may not hold line breaks"),
        ({"to": []}, "nobody to go to"),
        ({"attachments": ["/etc/passwd"]}, "is no file"),
    ],
)
async def test_what_is_no_mail_is_not_sent(
    services: StandIn, played: BlockContext, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BlockError, match=reason):
        await outputs_of(GmailSendBlock(), {**MAIL, **changes}, played)

    assert services.asked == []


async def test_a_subject_with_a_line_break_makes_no_header_of_an_answer(
    services: StandIn, played: BlockContext
) -> None:
    headers = [
        {"name": "Subject", "value": "Hello\r\nBcc: all@example.com"},
        {"name": "From", "value": "bob@example.com"},
    ]
    services.next("google", Reply(value={"id": "m1", "payload": {"headers": headers}}))
    asked = {"threadId": "t1", "parentMessageId": "m1", "body": "Fine", "credentials": MINE}

    await outputs_of(GmailReplyBlock(), asked, played)

    sent = services.play("google").sent[-1]
    assert (sent["Subject"], sent["Bcc"]) == ("Re: Hello Bcc: all@example.com", None)


async def test_a_label_that_is_not_there_is_made(services: StandIn, played: BlockContext) -> None:
    asked = {"message_id": "m1", "label_name": "Play", "credentials": MINE}

    [(_, result)] = await outputs_of(GmailAddLabelBlock(), asked, played)

    assert result["label_id"] == "Label_2"
    assert services.asked[-1].json() == {"addLabelIds": ["Label_2"]}


async def test_a_mail_goes_on_with_what_it_says_and_its_files(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"messageId": "m1", "to": ["eve@example.com"], "credentials": MINE}

    await outputs_of(GmailForwardBlock(), {**asked, "forwardMessage": "Look, <Eve>"}, played)

    sent = services.play("google").sent[-1]
    assert (sent["Subject"], sent["To"]) == ("Fwd: Hello", "eve@example.com")
    text = sent.get_body(("plain",)).get_content()
    assert text.startswith("Look, <Eve>")
    assert "From: Bob <bob@example.com>" in text
    assert "How are you?" in text
    page = sent.get_body(("html",)).get_content()
    assert "<p>Look, &lt;Eve&gt;</p>" in page
    assert "<b>are</b>" in page
    [file] = list(sent.iter_attachments())
    assert (file.get_filename(), file.get_content()) == ("plan.pdf", b"%PDF")


async def test_a_mail_goes_on_as_plain_text_without_its_files_where_that_is_asked_for(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"messageId": "m1", "to": ["eve@example.com"], "credentials": MINE}
    plain = {"content_type": "plain", "includeAttachments": False}

    await outputs_of(GmailForwardBlock(), {**asked, **plain}, played)

    sent = services.play("google").sent[-1]
    assert sent.get_body(("html",)) is None
    assert list(sent.iter_attachments()) == []


async def test_a_draft_is_kept_and_not_sent(services: StandIn, played: BlockContext) -> None:
    before = len(services.play("google").sent)

    await outputs_of(GmailCreateDraftBlock(), {**MAIL, "subject": "Later"}, played)
    answer = {"threadId": "t1", "parentMessageId": "m1", "body": "Fine", "credentials": MINE}
    await outputs_of(GmailDraftReplyBlock(), answer, played)

    drafts = services.play("google").drafts[-2:]
    assert [draft["Subject"] for draft in drafts] == ["Later", "Re: Hello"]
    assert drafts[1]["In-Reply-To"] == "<m1@example.com>"
    assert services.asked[-1].json()["message"]["threadId"] == "t1"
    assert len(services.play("google").sent) == before


async def test_a_conversation_has_its_mails(played: BlockContext) -> None:
    asked = {"threadId": "t1", "credentials": MINE}

    [(_, thread)] = await outputs_of(GmailGetThreadBlock(), asked, played)

    assert [mail["subject"] for mail in thread["messages"]] == ["Hello"]


async def test_too_many_calls_are_told_from_rights_that_lack(
    services: StandIn, played: BlockContext
) -> None:
    error = {"code": 403, "errors": [{"reason": "rateLimitExceeded"}], "message": "Slow down"}
    services.next("google", Reply(status=403, value={"error": error}))

    with pytest.raises(BlockError, match="answers with status 403: Slow down") as caught:
        await outputs_of(GmailReadBlock(), {"credentials": MINE}, played)

    assert isinstance(caught.value.__cause__, ServiceLimited)
