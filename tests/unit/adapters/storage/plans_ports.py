"""Calls of the smaller storage ports, for their query plans: watches, alerts, jobs, channels, deliveries."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.alerts import SqlAlerts
from backend.adapters.storage.deliveries import SqlDeliveries
from backend.adapters.storage.jobs import SqlJobs
from backend.adapters.storage.notice_channels import SqlNoticeChannels, SqlUserChannels
from backend.adapters.storage.notice_inbox import SqlInbox, SqlUserInbox
from backend.adapters.storage.notice_sends import SqlSendQueue
from backend.adapters.storage.preferences import SqlPreferences
from backend.adapters.storage.watches import SqlWatches
from backend.core.alerts import AlertKind, AlertRule
from backend.core.deliveries import DeliveryId, DeliveryPlace, DeliveryStatus, Refusal, Settled
from backend.core.ids import ChannelId
from backend.core.notice_channels import (
    Channel,
    ChannelChanges,
    ChannelKind,
    InboxEntry,
    Routed,
    Send,
)
from backend.core.preferences import PreferenceChanges
from backend.core.records import NoticeRecord
from backend.core.watches import Looked
from backend.ports.alerts import Judged, Look
from backend.ports.jobs import JobRun
from backend.ports.notice_channels import InboxPlace
from backend.testing.deliveries import delivery
from backend.testing.storage import HOOK
from tests.unit.adapters.storage.plans import ANN, GRAPH, RUN, Call

CHANNEL: Final = ChannelId("channel")
NOTICE: Final = NoticeRecord(id="told", user_id=ANN, type="AGENT_RUN", data={}, created_us=1)
ENTRY: Final = InboxEntry(
    id=NOTICE.id, user_id=ANN, kind="AGENT_RUN", title="t", text="", created_us=1
)
SEND: Final = Send(notice=NOTICE, channel_id=CHANNEL)
RULE: Final = AlertRule(id="rule", user_id=ANN, graph_id=GRAPH, kind=AlertKind.FAILED)
SILENCE: Final = replace(RULE, id="silence", kind=AlertKind.NO_RUN_FOR)
JOB_RUN: Final = JobRun(job="job", started_us=1, ended_us=2, ok=True, result="done")
DELIVERY: Final = delivery("delivery", user_id=ANN, webhook_id=HOOK.id)
NOTHING: Final = Look(runs=(), rules=(), silent=(), cursor_us=None, revision=0, has_rules=True)


def _watches(storage: SqlStorage) -> SqlWatches:
    return SqlWatches(storage.database)


def _alerts(storage: SqlStorage) -> SqlAlerts:
    return SqlAlerts(storage.database)


def _jobs(storage: SqlStorage) -> SqlJobs:
    return SqlJobs(storage.database)


def _channels(storage: SqlStorage) -> SqlUserChannels:
    return SqlNoticeChannels(storage.database).of(ANN)


def _sends(storage: SqlStorage) -> SqlSendQueue:
    return SqlSendQueue(storage.database)


def _inbox(storage: SqlStorage) -> SqlUserInbox:
    return SqlInbox(storage.database).of(ANN)


def _people(storage: SqlStorage) -> SqlPreferences:
    return SqlPreferences(storage.database)


def _deliveries(storage: SqlStorage) -> SqlDeliveries:
    return SqlDeliveries(storage.database, storage.values, days=7, kept=9, key_days=7, keys=9)


#: By port and method, in an order in which each finds its rows.
WATCH_CALLS: Final[Mapping[str, Call]] = {
    "Watches.next_us": lambda s: _watches(s).next_us(),
    "Watches.take": lambda s: _watches(s).take("me", now_us=9, until_us=99, limit=5),
    "Watches.hold_on": lambda s: _watches(s).hold_on(HOOK.id, "me", until_us=99),
    "Watches.save": lambda s: _watches(s).save(HOOK.id, "me", {"seen": 1}),
    "Watches.finish": lambda s: _watches(s).finish(HOOK.id, "me", Looked(next_us=99, looked_us=9)),
    "Watches.give_up": lambda s: _watches(s).give_up(
        HOOK.id, "me", Looked(next_us=99, looked_us=9), [NOTICE]
    ),
    "Watches.wake": lambda s: _watches(s).wake(HOOK.id, now_us=9),
    "Watches.standing": lambda s: _watches(s).standing(HOOK.id),
    "Watches.count": lambda s: _watches(s).count(ANN),
}
ALERT_CALLS: Final[Mapping[str, Call]] = {
    "AgentAlerts.add": lambda s: _alerts(s).add(RULE, most=20),
    "AgentAlerts.add of silence": lambda s: _alerts(s).add(SILENCE, most=20),
    "AgentAlerts.listed": lambda s: _alerts(s).listed(ANN, GRAPH),
    "AgentAlerts.get": lambda s: _alerts(s).get(ANN, GRAPH, RULE.id),
    "AgentAlerts.change": lambda s: _alerts(s).change(RULE),
    "AlertLooks.look": lambda s: _alerts(s).look(now_us=9, back_us=9, limit=10),
    "AlertLooks.failed_step": lambda s: _alerts(s).failed_step(RUN),
    "AlertLooks.save": lambda s: _alerts(s).save(
        Judged(
            look=NOTHING,
            rules=[replace(RULE, revision=1)],
            notices=[NOTICE],
            cursor_us=9,
            forget_before_us=5,
        )
    ),
    "AgentAlerts.remove": lambda s: _alerts(s).remove(ANN, GRAPH, RULE.id),
}
JOB_CALLS: Final[Mapping[str, Call]] = {
    "SystemJobs.declare": lambda s: _jobs(s).declare({"job": 60_000_000}),
    "SystemJobs.states": lambda s: _jobs(s).states(),
    "SystemJobs.ask": lambda s: _jobs(s).ask("job", now_us=9),
    "SystemJobs.claim": lambda s: _jobs(s).claim("job", now_us=9, held_until_us=99),
    "SystemJobs.hold": lambda s: _jobs(s).hold("job", held_until_us=99, until_us=199),
    "SystemJobs.finish": lambda s: _jobs(s).finish(JOB_RUN, held_until_us=199, alert="it failed"),
    "SystemJobs.runs": lambda s: _jobs(s).runs("job", limit=10),
    "JobReports.blocks": lambda s: _jobs(s).blocks(since_us=1, runs=100),
    "JobReports.agents": lambda s: _jobs(s).agents(since_us=1, until_us=9, runs=100),
}
CHANNEL_CALLS: Final[Mapping[str, Call]] = {
    "UserChannels.add": lambda s: _channels(s).add(
        Channel(id=CHANNEL, user_id=ANN, kind=ChannelKind.SLACK, name="n", hint="h", sealed="s"),
        most=20,
    ),
    "UserChannels.listed": lambda s: _channels(s).listed(),
    "UserChannels.get": lambda s: _channels(s).get(CHANNEL),
    "UserChannels.change": lambda s: _channels(s).change(
        CHANNEL, ChannelChanges(enabled=True), now_us=2
    ),
    "UserChannels.waiting": lambda s: _channels(s).waiting(CHANNEL),
    "SendQueue.unrouted": lambda s: _sends(s).unrouted(100),
    "SendQueue.channels_of": lambda s: _sends(s).channels_of([ANN]),
    "SendQueue.route": lambda s: _sends(s).route(
        [Routed(entry=ENTRY, channels=[CHANNEL], gathering=[CHANNEL], cause="c")] * 2, now_us=9
    ),
    "SendQueue.release": lambda s: _sends(s).release(now_us=10**15, limit=10),
    "SendQueue.due": lambda s: _sends(s).due(now_us=10**15, limit=10, but=[]),
    "SendQueue.first": lambda s: _sends(s).first(CHANNEL),
    "SendQueue.note_delay": lambda s: _sends(s).note_delay(SEND, error="e", next_us=9),
    "SendQueue.note_failed": lambda s: _sends(s).note_failed(
        SEND, error="e", now_us=9, off_after=1, off=replace(ENTRY, id="off")
    ),
    "SendQueue.note_sent": lambda s: _sends(s).note_sent(SEND, now_us=9),
    "SendQueue.drop": lambda s: _sends(s).drop(CHANNEL, error="e", now_us=9, limit=10),
    "SendQueue.drop of lost ones": lambda s: _sends(s).drop(
        CHANNEL, error="e", now_us=9, limit=10, lost_only=True
    ),
    "UserChannels.remove": lambda s: _channels(s).remove(CHANNEL),
    "UserInbox.listed": lambda s: _inbox(s).listed(
        before=InboxPlace(9, "x"), unread_only=False, limit=10
    ),
    "UserInbox.listed of unread": lambda s: _inbox(s).listed(
        before=None, unread_only=True, limit=10
    ),
    "UserInbox.unread": lambda s: _inbox(s).unread(),
    "UserInbox.mark": lambda s: _inbox(s).mark([ENTRY.id], now_us=9),
    "UserInbox.mark_until": lambda s: _inbox(s).mark_until(9, now_us=9),
    "AllPreferences.some": lambda s: _people(s).some([ANN], now_us=9),
    "AllPreferences.note_letter": lambda s: _people(s).note_letter(ANN, now_us=9),
    "AllPreferences.note_bounce": lambda s: _people(s).note_bounce("a@b", error="e", now_us=9),
    "AllPreferences.bounced": lambda s: _people(s).bounced(limit=10),
    "AllPreferences.refusing": lambda s: _people(s).refusing(bounces=3),
    "UserPreferences.get": lambda s: _people(s).of(ANN).get(now_us=9),
    "UserPreferences.change": lambda s: _people(s).of(ANN).change(PreferenceChanges(), now_us=9),
}
DELIVERY_CALLS: Final[Mapping[str, Call]] = {
    "Deliveries.add": lambda s: _deliveries(s).add(DELIVERY, ["key"]),
    "Deliveries.waiting": lambda s: _deliveries(s).waiting(now_us=9, limit=10),
    "Deliveries.settle": lambda s: _deliveries(s).settle(
        [Settled(id=DELIVERY.id, status=DeliveryStatus.IGNORED, reason="why")]
    ),
    "Deliveries.page": lambda s: _deliveries(s).page(
        ANN, HOOK.id, after=DeliveryPlace(9, DELIVERY.id), limit=10
    ),
    "Deliveries.get": lambda s: _deliveries(s).get(ANN, HOOK.id, DELIVERY.id),
    "Deliveries.last_of": lambda s: _deliveries(s).last_of(HOOK.id, "plain", since_us=1),
    "Deliveries.note_refusals": lambda s: _deliveries(s).note_refusals(
        [Refusal(id=DeliveryId("refused"), webhook_id=HOOK.id, received_us=9, reason="why")]
    ),
    "Deliveries.expire": lambda s: _deliveries(s).expire(now_us=10**15, limit=10),
}
PORT_CALLS: Final[Mapping[str, Call]] = {
    **ALERT_CALLS,
    **JOB_CALLS,
    **CHANNEL_CALLS,
    **WATCH_CALLS,
    **DELIVERY_CALLS,
}
