"""The chain of the audit log: whatever is done to its rows shows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.core.audit import (
    COLUMNS,
    FIRST,
    Actor,
    AuditEntry,
    AuditRow,
    By,
    Head,
    Outcome,
    breaks_of,
    chained,
    digest,
)

ENTRY = AuditEntry(
    at_us=1,
    actor=Actor(who="ann", by=By.TOKEN),
    verb="delete",
    kind="graph",
    outcome=Outcome.DONE,
)

Rows = list[AuditRow]


def chain(length: int) -> Rows:
    rows: Rows = []
    head = None
    for number in range(length):
        row = chained(replace(ENTRY, object_id=str(number)), head)
        head = Head(seq=row.seq, hash=row.hash)
        rows.append(row)
    return rows


def head_of(rows: Rows) -> Head | None:
    return Head(seq=rows[-1].seq, hash=rows[-1].hash) if rows else None


def holds(rows: Rows, head: Head | None, kept: Head | None = None) -> bool:
    return not list(breaks_of(rows, head, kept))


@given(length=st.integers(0, 6))
def test_a_chain_holds(length: int) -> None:
    rows = chain(length)

    assert holds(rows, head_of(rows))


def edit(rows: Rows, at: int, data: st.DataObject) -> Rows:
    row = rows[at]
    column = data.draw(st.integers(0, len(COLUMNS) - 1))
    value = data.draw(st.text(max_size=5) | st.integers() | st.none() | st.binary(max_size=3))
    assume(value != row.values[column])
    values = (*row.values[:column], value, *row.values[column + 1 :])
    return [*rows[:at], replace(row, values=values), *rows[at + 1 :]]


def edit_and_hash_anew(rows: Rows, at: int, data: st.DataObject) -> Rows:
    [*before, row] = edit(rows, at, data)[: at + 1]
    made = digest(row.seq, row.previous, row.values)
    return [*before, replace(row, hash=made), *rows[at + 1 :]]


def delete(rows: Rows, at: int, _: st.DataObject) -> Rows:
    return rows[:at] + rows[at + 1 :]


def delete_and_close_the_gap(rows: Rows, at: int, _: st.DataObject) -> Rows:
    return rows[:at] + [replace(row, seq=row.seq - 1) for row in rows[at + 1 :]]


def insert(rows: Rows, at: int, _: st.DataObject) -> Rows:
    new = chained(ENTRY, head_of(rows[:at]))
    return rows[:at] + [new] + [replace(row, seq=row.seq + 1) for row in rows[at:]]


def swap(rows: Rows, at: int, _: st.DataObject) -> Rows:
    other = (at + 1) % len(rows)
    made = list(rows)
    made[at] = replace(rows[other], seq=rows[at].seq)
    made[other] = replace(rows[at], seq=rows[other].seq)
    return made


def cut_off(rows: Rows, at: int, _: st.DataObject) -> Rows:
    return rows[:at]


DEEDS: list[Callable[[Rows, int, st.DataObject], Rows]] = [
    edit,
    edit_and_hash_anew,
    delete,
    delete_and_close_the_gap,
    insert,
    swap,
    cut_off,
]


@pytest.mark.parametrize("deed", DEEDS)
@settings(max_examples=60, deadline=None)
@given(length=st.integers(2, 6), data=st.data())
def test_whatever_is_done_to_a_row_shows(
    deed: Callable[[Rows, int, st.DataObject], Rows], length: int, data: st.DataObject
) -> None:
    rows = chain(length)
    at = data.draw(st.integers(0, length - 1))

    assert not holds(deed(rows, at, data), head_of(rows))


@given(length=st.integers(1, 5), kept=st.integers(1, 5), data=st.data())
def test_a_log_that_was_written_anew_shows_to_who_kept_a_head(
    length: int, kept: int, data: st.DataObject
) -> None:
    assume(kept <= length)
    old = chain(length)
    head = None
    new: Rows = []
    for number in range(data.draw(st.integers(0, 6))):
        row = chained(replace(ENTRY, object_id=f"new {number}"), head)
        head = Head(seq=row.seq, hash=row.hash)
        new.append(row)

    assert holds(new, head)
    assert not holds(new, head, head_of(old[:kept]))
    assert holds(old, head_of(old), head_of(old[:kept]))


def test_an_anchor_that_names_another_row_anchors_nothing() -> None:
    rows = chain(4)
    for through, made in ((2, FIRST), (1, rows[1].hash), ("2", rows[1].hash)):
        facts: dict[str, Any] = {"through": through, "hash": made}
        anchor = chained(replace(ENTRY, verb="expire", kind="audit", facts=facts), head_of(rows))
        assert not holds([*rows[2:], anchor], head_of([anchor])), facts
    right = {"through": 2, "hash": rows[1].hash}
    anchor = chained(replace(ENTRY, verb="expire", kind="audit", facts=right), head_of(rows))
    assert holds([*rows[2:], anchor], head_of([anchor]))
    assert not holds([*rows[3:], anchor], head_of([anchor]))


@given(text=st.text(max_size=80))
def test_a_head_is_read_as_it_was_written_and_nothing_else_is_one(text: str) -> None:
    head = Head(seq=12, hash="a" * 64)
    assert Head.parse(f" {head}\n") == head
    if text.strip() != str(head):
        with pytest.raises(ValueError, match="a head is"):
            Head.parse(text)
