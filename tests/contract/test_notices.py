"""The queue of notices, for administrators, over REST."""

from email import message_from_bytes, policy

from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.core.ids import UserId
from backend.core.records import NoticeRecord
from backend.ports.notices import Group
from tests.contract.rest_server import RestServer

PATH = "/api/admin/notices"


async def test_an_administrator_sees_all_notices_and_sends_them_again(server: RestServer) -> None:
    headers = server.as_user("root", role="admin")
    ann, queue = UserId("ann"), SqlNoticeQueue(server.storage.database)
    await queue.add(
        [
            NoticeRecord(id=f"n:{n}", user_id=ann, type="AGENT_RUN", data={}, created_us=n)
            for n in range(3)
        ]
    )
    group = Group(user_id=ann, type="AGENT_RUN")
    await queue.drop(group, due_us=9, because="why", limit=2)

    first = (await server.ask("GET", f"{PATH}?limit=2", headers=headers)).json()
    rest = (
        await server.ask("GET", f"{PATH}?before={first['next_before']}", headers=headers)
    ).json()
    again = await server.ask("POST", f"{PATH}/retry", {"notice_id": "n:0"}, headers=headers)

    assert [one["id"] for one in first["notices"]] == ["n:2", "n:1"]
    assert [(one["id"], one["error"]) for one in rest["notices"]] == [("n:0", "why")]
    assert rest["next_before"] is None
    assert again.json() == {"queued": 1}
    dropped = await server.ask("GET", f"{PATH}?status=DROPPED", headers=headers)
    assert [one["id"] for one in dropped.json()["notices"]] == ["n:1"]
    missing = await server.ask("POST", f"{PATH}/retry", {"notice_id": "x"}, headers=headers)
    assert missing.status_code == 404
    wrong = await server.ask("GET", f"{PATH}?before=x", headers=headers)
    assert wrong.status_code == 400


async def test_an_administrator_sees_what_letters_look_like(server: RestServer) -> None:
    headers = server.as_user("root", role="admin")
    path = f"{PATH}/preview/WEEKLY_SUMMARY"

    html, text, eml = [
        await server.ask("GET", f"{path}?format={form}", headers=headers)
        for form in ("html", "text", "eml")
    ]

    assert html.headers["content-type"].startswith("text/html")
    assert "Morning news" in html.text
    assert text.text.startswith("Subject: Your agents: 16 to 22 November 2026\n")
    message = message_from_bytes(eml.content, policy=policy.default)
    assert message["Subject"] == "Your agents: 16 to 22 November 2026"
    unknown = await server.ask("GET", f"{PATH}/preview/LETTER", headers=headers)
    assert unknown.status_code == 422
