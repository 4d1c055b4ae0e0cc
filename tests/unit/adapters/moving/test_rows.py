"""Any row of any table has a line, the line gives it back, and both kinds of database keep it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Float, LargeBinary, Table

from backend.adapters.moving.rows import (
    Kind,
    Row,
    Shape,
    Sum,
    difference,
    line_of,
    row_of,
    sum_of,
    without_nul,
)
from backend.adapters.moving.sources import KINDS, postgres_connection
from backend.adapters.moving.targets import PostgresTarget, SqliteTarget
from backend.adapters.storage.migrate import HEAD
from backend.adapters.storage.schema import metadata
from backend.core.errors import Unavailable
from tests.databases import emptied
from tests.filled import allowed
from tests.services import require_service

#: All that a text of PostgreSQL may hold.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def values(column: Column[Any]) -> st.SearchStrategy[Any]:
    found: st.SearchStrategy[Any] = texts
    if isinstance(column.type, Boolean):
        found = st.booleans()
    elif isinstance(column.type, BigInteger):
        found = st.integers(-(2**63), 2**63 - 1)
    elif isinstance(column.type, LargeBinary):
        found = st.binary(max_size=60)
    elif isinstance(column.type, Float):
        found = st.floats(allow_nan=False)
    elif column.type.python_type is int:
        found = st.integers(-(2**31), 2**31 - 1)
    return st.none() | found if column.nullable else found


def rows_of(table: Table) -> st.SearchStrategy[tuple[Shape, list[Row]]]:
    ordered = sorted(table.columns, key=lambda column: column.name)
    shape = shape_of(table)
    row = st.tuples(*map(values, ordered)).map(
        lambda drawn: tuple(
            allowed(table.name, dict(zip(shape.names, drawn, strict=True))).values()
        )
    )
    keys = [ordered.index(column) for column in table.primary_key.columns]
    listed = st.lists(row, max_size=2, unique_by=lambda one: tuple(one[key] for key in keys))
    return listed.map(lambda rows: (shape, rows))


def shape_of(table: Table) -> Shape:
    ordered = sorted(table.columns, key=lambda column: column.name)
    named = {"big_integer": "bigint", "large_binary": "blob"}
    return Shape(
        table.name,
        tuple(
            (one.name, KINDS[named.get(one.type.__visit_name__, one.type.__visit_name__.lower())])
            for one in ordered
        ),
    )


tables_and_rows = st.sampled_from(metadata.sorted_tables).flatmap(cache(rows_of))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteTarget]:
    target = SqliteTarget(tmp_path_factory.mktemp("rows") / "a.db")
    target.make(HEAD)  # without the indexes: what they forbid is not asked here
    yield target
    target.connection.close()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresTarget]:
    with postgres_connection(emptied(require_service("postgres")), writes=True) as connection:
        target = PostgresTarget(connection)
        target.drop()
        target.make(HEAD)
        yield target


few = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@few
@given(tables_and_rows)
def test_a_line_gives_its_row_back(drawn: tuple[Shape, list[Row]]) -> None:
    shape, rows = drawn

    lines = list(map(line_of(shape), rows))

    assert list(map(row_of(shape), lines)) == rows
    assert all(b"\n" not in line for line in lines)


@few
@given(tables_and_rows)
def test_sqlite_keeps_any_row_of_any_table(
    file: SqliteTarget, drawn: tuple[Shape, list[Row]]
) -> None:
    shape, rows = drawn

    written, _ = file.fill(shape, rows)
    found = sum_of(shape, file.source.rows(shape))
    file.connection.execute(f'DELETE FROM "{shape.name}"')

    assert written == sum_of(shape, rows) == found


@few
@given(tables_and_rows)
def test_postgres_keeps_any_row_of_any_table(
    server: PostgresTarget, drawn: tuple[Shape, list[Row]]
) -> None:
    shape, rows = drawn

    written, changed = server.fill(shape, rows)
    found = sum_of(shape, server.source.rows(shape))
    server.connection.execute(f'DELETE FROM "{shape.name}"'.encode())

    assert (written, changed) == (sum_of(shape, rows), 0)
    assert found == written


def test_both_kinds_of_database_have_the_same_shapes(
    file: SqliteTarget, server: PostgresTarget
) -> None:
    wanted = sorted((shape_of(table) for table in metadata.sorted_tables), key=lambda s: s.name)

    assert file.source.shapes() == wanted
    assert server.source.shapes() == wanted


def test_a_nul_becomes_the_sign_for_what_cannot_be_shown(server: PostgresTarget) -> None:
    shape = shape_of(metadata.tables["installation"])
    rows = [("a\0b", "\0"), ("plain", '"\\u0000"')]

    written, changed = server.fill(shape, rows)
    found = set(server.source.rows(shape))
    server.connection.execute("DELETE FROM installation")

    assert found == {("a\ufffdb", "\ufffd"), ("plain", '"\\u0000"')}
    assert (changed, written) == (1, sum_of(shape, found))


def test_a_row_without_nul_is_left_alone() -> None:
    row = ("plain", 1)

    assert without_nul(b'["plain",1]', row) is row


def test_a_sum_knows_neither_order_nor_what_was_taken_out() -> None:
    one, other = Sum(), Sum()
    for line in (b"a", b"b", b"c"):
        one.add(line)
    for line in (b"c", b"x", b"a", b"b"):
        other.add(line)
    assert one != other

    more = Sum()
    more.add(b"x")
    other.remove(more)

    assert one == other
    assert one.hex == other.hex


def test_twice_the_same_row_is_not_once() -> None:
    one, other = Sum(), Sum()
    one.add(b"a")
    for _ in range(2):
        other.add(b"a")

    said = difference({"t": one}, {"t": other})

    assert said == "the table t has 2 rows, not 1"


def test_a_value_of_another_kind_is_refused() -> None:
    shape = Shape("t", (("is_it", Kind.BOOLEAN), ("text", Kind.TEXT)))

    for row in ((2, "a"), (True, b"bytes"), ("yes", "a")):
        with pytest.raises(Unavailable, match="the table t holds what its columns do not allow"):
            line_of(shape)(row)


def test_a_line_of_another_table_is_refused() -> None:
    row = row_of(Shape("t", (("a", Kind.TEXT),)))

    for line in (b"[1, 2]", b"{}", b"[", b'["' + b"a" * 10):
        with pytest.raises(ValueError, match=r"\w"):
            row(line)


def test_sqlite_refuses_what_a_key_forbids(tmp_path: Path) -> None:
    target = SqliteTarget(tmp_path / "a.db")
    target.make(HEAD)
    shape = shape_of(metadata.tables["installation"])

    with pytest.raises(Unavailable, match="installation cannot be filled"):
        target.fill(shape, [("a", "1"), ("a", "2")])
    target.connection.close()
