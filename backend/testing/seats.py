"""The spec of seats: what every adapter of backend.ports.seats must do."""

import asyncio
from collections.abc import Callable

import pytest

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.seats import Seat, Seats

ANN, BOB = UserId("ann"), UserId("bob")
#: Runs at once of one user and graph, and of one user, that a fixture must set.
PER_GRAPH, PER_USER = 3, 4


def seats_for(user: UserId, graph: str, *numbers: int) -> list[Seat]:
    """Return seats of so many runs."""
    return [Seat(ExecutionId(f"{user}-{graph}-{n}"), user, GraphId(graph)) for n in numbers]


class SeatsSpec:
    """Give a fixture `at`: the seats as an executor of a given name sees them, all of one place."""

    async def test_a_limit_holds_over_all_executors(self, at: Callable[[str], Seats]) -> None:
        """However few each of them has."""
        wanted = seats_for(ANN, "g", *range(8))

        first = await at("one").exchange(wanted[:2], left=(), gone=())
        second = await at("two").exchange(wanted[2:5], left=(), gone=())

        assert first.taken == {wanted[0].run_id, wanted[1].run_id}
        assert (first.full_graphs, first.full_users) == (frozenset(), frozenset())
        assert second.taken == {wanted[2].run_id}
        assert second.full_graphs == {(ANN, GraphId("g"))}

    async def test_however_many_ask_at_once(self, at: Callable[[str], Seats]) -> None:
        """One after the other, and each sees what those before it took."""
        wanted = seats_for(ANN, "g", *range(30))
        places = [at(name) for name in ("one", "two", "three")]

        found = await asyncio.gather(
            *(places[n % 3].exchange([seat], left=(), gone=()) for n, seat in enumerate(wanted))
        )

        assert sum(len(one.taken) for one in found) == PER_GRAPH

    async def test_a_user_has_a_limit_over_all_graphs(self, at: Callable[[str], Seats]) -> None:
        """Others are not held up by it."""
        await at("one").exchange(seats_for(ANN, "g", 1, 2, 3), left=(), gone=())

        more = await at("two").exchange(
            [*seats_for(ANN, "h", 1, 2), *seats_for(BOB, "h", 1)], left=(), gone=()
        )

        assert sorted(more.taken) == ["ann-h-1", "bob-h-1"]
        assert more.full_users == {ANN}

    async def test_who_leaves_makes_room_at_once(self, at: Callable[[str], Seats]) -> None:
        """In the same exchange."""
        one, two = at("one"), at("two")
        wanted = seats_for(ANN, "g", *range(5))
        await one.exchange(wanted[:3], left=(), gone=())

        again = await one.exchange(wanted[3:4], left=[wanted[0].run_id], gone=())
        foreign = await two.exchange(wanted[4:], left=[wanted[1].run_id], gone=())

        assert again.taken == {wanted[3].run_id}
        assert foreign.taken == frozenset()  # nobody gives back what another has

    async def test_a_run_has_one_seat(self, at: Callable[[str], Seats]) -> None:
        """Whoever was first has it, however often it asks."""
        one, two = at("one"), at("two")
        wanted = seats_for(ANN, "g", 1)

        first = await one.exchange(wanted, left=(), gone=())
        theirs = await two.exchange(wanted, left=(), gone=())
        mine = await one.exchange(wanted, left=(), gone=())

        assert [len(one.taken) for one in (first, theirs, mine)] == [1, 0, 1]
        assert mine.full_graphs == frozenset()

    async def test_the_seats_of_the_dead_are_free(self, at: Callable[[str], Seats]) -> None:
        """Also for the runs that they were taken for."""
        one, two = at("one"), at("two")
        wanted = seats_for(ANN, "g", 1, 2, 3)
        await one.exchange(wanted, left=(), gone=())
        assert await two.owners() == {"one"}

        found = await two.exchange(wanted, left=(), gone=["one", "nobody"])

        assert found.taken == {seat.run_id for seat in wanted}
        assert await one.owners() == {"two"}

    async def test_what_was_lost_is_put_right(self, at: Callable[[str], Seats]) -> None:
        """A server that lost its power has lost them all."""
        one, two = at("one"), at("two")
        lost, kept = seats_for(ANN, "g", 1, 2)
        left_over = seats_for(BOB, "g", 1)[0]
        await one.exchange([kept, left_over], left=(), gone=())

        await one.hold([lost, kept])

        found = await two.exchange([lost, kept, left_over], left=(), gone=())
        assert found.taken == {left_over.run_id}

    async def test_who_has_closed_is_seen_until_somebody_says_that_he_is_gone(
        self, at: Callable[[str], Seats]
    ) -> None:
        """Then his runs can be had; twice closed is harmless."""
        one, two = at("one"), at("two")
        wanted = seats_for(ANN, "g", 1, 2)
        await one.exchange(wanted, left=(), gone=())

        await one.close()
        await one.close()

        assert await two.owners() == {"one"}
        found = await two.exchange(wanted, left=(), gone=["one"])
        assert found.taken == {seat.run_id for seat in wanted}

    @pytest.mark.parametrize("wanted", [0, 1])
    async def test_to_ask_for_nothing_is_fine(
        self, at: Callable[[str], Seats], wanted: int
    ) -> None:
        """So is to leave what one never had."""
        seats = seats_for(ANN, "g", *range(wanted))

        found = await at("one").exchange(seats, left=[ExecutionId("nothing")], gone=())

        assert len(found.taken) == wanted
