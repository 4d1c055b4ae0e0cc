"""SendEmail: whose mail it is, and what of it could be somebody else's header."""

from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.mail.send_email import SendEmailBlock
from backend.core.errors import BlockError
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.mail import KeptMail
from backend.testing.standin import KEY
from backend.testing.standin.server import KeyLender


def asked(**changes: Any) -> dict[str, Any]:
    return {
        "to_email": "Bob <bob@example.com>, eve@example.com",
        "subject": "Hello",
        "body": "How are you?",
        "config": {"smtp_server": "mail.example.com", "smtp_port": 587},
        "credentials": {"id": "mine", "provider": "smtp", "type": "user_password"},
    } | changes


async def test_a_mail_goes_to_all_and_is_the_same_mail_at_each_try() -> None:
    mail = KeptMail()
    context = replace(CONTEXT, mail=mail, lender=KeyLender(), idempotency_key="node-1")

    for _ in range(2):
        outputs = await outputs_of(SendEmailBlock(), asked(), context)
    await outputs_of(SendEmailBlock(), asked(), replace(context, idempotency_key="node-2"))

    assert outputs == [("status", "Email sent successfully")]
    server, recipients, message = mail.kept[0]
    assert (server.host, server.port, server.password.reveal()) == ("mail.example.com", 587, KEY)
    assert recipients == ("bob@example.com", "eve@example.com")
    assert message["From"] == f"{KEY}@example.com"
    assert message["To"] == "Bob <bob@example.com>, eve@example.com"
    assert message["Message-ID"].endswith("@example.com>")
    first, second, third = (kept["Message-ID"] for _, _, kept in mail.kept)
    assert first == second != third


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": "Hi\r\nBcc: all@example.com"}, "subject may not hold line breaks"),
        ({"to_email": "bob@example.com\r\nBcc: all@example.com"}, "may not hold line breaks"),
        ({"to_email": "bob@example.com\u2028x"}, "may not hold line breaks"),
        ({"to_email": "bob"}, "'bob' is no mail address"),
        ({"to_email": ""}, "nobody to go to"),
        ({"to_email": ",".join(f"a{n}@example.com" for n in range(101))}, "100 addresses"),
        ({"config": {"smtp_port": 587}}, "smtp_server"),
    ],
)
async def test_what_is_no_mail_is_not_sent(changes: dict[str, Any], reason: str) -> None:
    mail = KeptMail()

    with pytest.raises(BlockError, match=reason):
        await outputs_of(
            SendEmailBlock(), asked(**changes), replace(CONTEXT, mail=mail, lender=KeyLender())
        )

    assert mail.kept == []
