"""Rows of the audit log on the wire."""

from typing import Any

from backend.api.wire.times import iso
from backend.core.audit import Fact
from backend.services.audit import Audited


def audit_form(row: Audited) -> dict[str, Any]:
    """Return a row of the audit log: ``AuditEntry``."""
    entry, actor = row.entry, row.entry.actor
    facts: dict[str, Fact] = dict(entry.facts)
    return {
        "seq": row.seq,
        "at": iso(entry.at_us),
        "who": actor.who,
        "by": actor.by.value,
        "by_id": actor.by_id,
        "acting_for": actor.acting_for,
        "address": actor.address,
        "request_id": actor.request_id,
        "verb": entry.verb,
        "kind": entry.kind,
        "object_id": entry.object_id,
        "outcome": entry.outcome.value,
        "facts": facts,
        "hash": row.hash,
    }
