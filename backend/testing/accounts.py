"""The specs of what lets people in, and a revision that ends with the process, for tests."""

from dataclasses import replace
from typing import Final

import pytest

from backend.core.accounts import AccountRecord, Role, SessionRecord
from backend.core.errors import Conflict, NotFound
from backend.core.ids import SessionId, UserId
from backend.ports.accounts import Accounts, PasswordHasher, Revision

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
ACCOUNT: Final = AccountRecord(
    id=ANN, email="ann@example.com", name="Ann", has_login=True, password_hash="#", created_us=1
)
OTHER: Final = replace(ACCOUNT, id=BOB, email="bob@example.com", created_us=2)
SESSION: Final = SessionRecord(
    id=SessionId("s"), user_id=ANN, created_us=10, last_used_us=10, expires_us=100
)
_DAY_US: Final = 86_400_000_000


class TransientRevision:
    """See backend.ports.accounts.Revision. Only who has this object sees it change."""

    def __init__(self) -> None:
        self._number = 0

    def current(self) -> bytes:
        """See the port."""
        return self._number.to_bytes(8, "big")

    def change(self) -> None:
        """See the port."""
        self._number += 1


class RevisionSpec:
    """What every revision does."""

    def test_it_stays_until_it_is_changed(self, revision: Revision) -> None:
        """And then it is another one."""
        seen = {revision.current(), revision.current()}

        for _ in range(3):
            revision.change()
            seen.add(revision.current())

        assert len(seen) == 4


class PasswordHasherSpec:
    """What every hasher of passwords does."""

    def test_only_the_password_matches(self, hasher: PasswordHasher) -> None:
        """And a hash says nothing of it."""
        hashed = hasher.hash("größer als zwölf")

        assert hasher.matches(hashed, "größer als zwölf")
        assert not hasher.matches(hashed, "grösser als zwölf")
        assert "zwölf" not in hashed
        assert not hasher.is_outdated(hashed)

    def test_the_same_password_has_another_hash_each_time(self, hasher: PasswordHasher) -> None:
        """Nobody can see who has the same."""
        assert hasher.hash("the same password") != hasher.hash("the same password")

    def test_nothing_matches_no_hash(self, hasher: PasswordHasher) -> None:
        """Not even what it is compared with to take as long."""
        assert not hasher.matches(None, "the password of nobody")
        assert not hasher.matches(None, "")


class AccountsSpec:
    """What every store of accounts does."""

    async def test_an_account_is_found_by_id_and_by_address(self, accounts: Accounts) -> None:
        """In any spelling, where people type it."""
        await accounts.add(ACCOUNT)

        found = [
            await accounts.of(ANN).get(),
            await accounts.by_login("ann@example.com"),
            await accounts.find("ann"),
            await accounts.find(" ANN@example.com"),
        ]

        assert found == [ACCOUNT] * 4
        assert await accounts.find("bob") is None
        assert await accounts.by_login("bob@example.com") is None

    @pytest.mark.parametrize(
        "second", [replace(OTHER, email=ACCOUNT.email), replace(OTHER, id=ANN)]
    )
    async def test_an_id_and_an_address_are_one_persons(
        self, accounts: Accounts, second: AccountRecord
    ) -> None:
        """Whoever comes second is refused."""
        await accounts.add(ACCOUNT)

        with pytest.raises(Conflict):
            await accounts.add(second)

        assert await accounts.listed(limit=10) == [ACCOUNT]

    async def test_accounts_are_listed_oldest_first_up_to_a_limit(self, accounts: Accounts) -> None:
        """Not more."""
        await accounts.add(OTHER)
        await accounts.add(ACCOUNT)

        assert await accounts.listed(limit=10) == [ACCOUNT, OTHER]
        assert await accounts.listed(limit=1) == [ACCOUNT]

    async def test_the_owner_is_made_once_and_keeps_a_password(self, accounts: Accounts) -> None:
        """Each start says it again."""
        await accounts.add(replace(ACCOUNT, has_login=False, password_hash=None, role=Role.OWNER))
        await accounts.of(ANN).set_password("##", now_us=5)

        await accounts.ensure_owner(ANN, now_us=9)

        found = await accounts.by_login("ann@example.com")
        assert found is not None
        assert (found.role, found.password_hash) == (Role.OWNER, "##")

    async def test_who_is_not_there_cannot_be_changed(self, accounts: Accounts) -> None:
        """And is not made by it."""
        nobody = accounts.of(BOB)

        for change in (
            nobody.set_password("#", now_us=1),
            nobody.set_disabled(disabled=True, now_us=1),
            nobody.set_role(Role.ADMIN, now_us=1),
        ):
            with pytest.raises(NotFound):
                await change

        assert await nobody.get() is None

    async def test_the_standing_says_who_is_refused_and_who_is_more_than_a_member(
        self, accounts: Accounts
    ) -> None:
        """Members who may come in are not in it: it must stay small."""
        await accounts.add(ACCOUNT)
        await accounts.add(OTHER)
        await accounts.of(ANN).set_role(Role.ADMIN, now_us=5)
        await accounts.of(BOB).set_disabled(disabled=True, now_us=5)
        await accounts.of(ANN).add_session(SESSION, token_hash="t", most=5, now_us=10)
        await accounts.of(ANN).end_session(SESSION.id, now_us=20)

        standing = await accounts.standing(ended_after_us=20)

        assert standing.roles == {ANN: Role.ADMIN}
        assert standing.disabled == {BOB}
        assert standing.ended == {SESSION.id}
        assert (await accounts.standing(ended_after_us=21)).ended == frozenset()

    async def test_a_session_lives_until_it_is_ended_or_not_used(self, accounts: Accounts) -> None:
        """And it is its owner's."""
        await accounts.add(ACCOUNT)
        ann, bob = accounts.of(ANN), accounts.of(BOB)
        await ann.add_session(SESSION, token_hash="t", most=5, now_us=10)

        assert await ann.sessions(now_us=99) == [SESSION]
        assert await ann.sessions(now_us=100) == []
        assert await bob.sessions(now_us=50) == []
        assert not await bob.end_session(SESSION.id, now_us=50)
        assert await ann.end_session(SESSION.id, now_us=50)
        assert not await ann.end_session(SESSION.id, now_us=51)
        assert await ann.sessions(now_us=52) == []
        found = await ann.get()
        assert found is not None
        assert found.last_login_us == 10

    async def test_of_too_many_sessions_the_one_not_used_for_longest_ends(
        self, accounts: Accounts
    ) -> None:
        """The new one never does."""
        await accounts.add(ACCOUNT)
        ann = accounts.of(ANN)
        for number in (10, 11):
            await ann.add_session(_session(number), token_hash=f"t{number}", most=2, now_us=number)

        over = await ann.add_session(_session(12), token_hash="t12", most=2, now_us=12)

        assert over == ["s10"]
        assert [one.id for one in await ann.sessions(now_us=12)] == ["s12", "s11"]

    async def test_a_token_is_good_once_and_then_ends_its_session(self, accounts: Accounts) -> None:
        """Of two who have it, one is a thief."""
        await accounts.add(ACCOUNT)
        await accounts.of(ANN).add_session(SESSION, token_hash="t1", most=5, now_us=10)

        first = await _rotate(accounts, "t1", "t2", now_us=50)
        [living] = await accounts.of(ANN).sessions(now_us=140)
        again = await _rotate(accounts, "t1", "t3", now_us=60)
        next_one = await _rotate(accounts, "t2", "t4", now_us=70)

        assert (first[1], again[1], next_one[1]) == (True, False, False)
        assert (living.last_used_us, living.expires_us, living.address) == (50, 150, "::1")
        assert await accounts.of(ANN).sessions(now_us=70) == []

    async def test_a_token_of_a_session_that_is_over_is_not_good(self, accounts: Accounts) -> None:
        """Nor is one that was never there, or of somebody who is refused."""
        await accounts.add(ACCOUNT)
        await accounts.of(ANN).add_session(SESSION, token_hash="t", most=5, now_us=10)

        assert await _rotate(accounts, "x", "y", now_us=20) == (None, False)
        assert not (await _rotate(accounts, "t", "y", now_us=100))[1]
        await accounts.of(ANN).set_disabled(disabled=True, now_us=30)
        assert not (await _rotate(accounts, "t", "y", now_us=40))[1]

    async def test_a_reset_token_is_good_once_and_until_the_next_one(
        self, accounts: Accounts
    ) -> None:
        """And not when it is over."""
        await accounts.add(ACCOUNT)
        ann = accounts.of(ANN)
        await ann.add_reset("first", expires_us=100)
        await ann.add_reset("second", expires_us=100)

        assert await accounts.take_reset("first", now_us=50) is None
        assert await accounts.take_reset("second", now_us=50) == ANN
        assert await accounts.take_reset("second", now_us=50) is None
        await ann.add_reset("third", expires_us=100)
        assert await accounts.take_reset("third", now_us=100) is None

    async def test_an_address_counts_when_its_token_comes_back(self, accounts: Accounts) -> None:
        """It signs in then, and the one before does not; a token is good once, the last one only."""
        await accounts.add(ACCOUNT)
        ann = accounts.of(ANN)
        await ann.add_address("first", "ann@example.net", expires_us=100)
        await ann.add_address("second", "ann@example.org", expires_us=100)

        assert await accounts.take_address("first", now_us=50) is None
        assert await accounts.take_reset("second", now_us=50) is None
        assert await ann.get() == ACCOUNT
        changed = await accounts.take_address("second", now_us=50)

        assert changed == replace(ACCOUNT, email="ann@example.org")
        assert await accounts.by_login("ann@example.org") == changed
        assert await accounts.by_login("ann@example.com") is None
        assert await accounts.take_address("second", now_us=50) is None

    async def test_an_address_does_not_count_if_it_is_anothers_too_late_or_of_the_disabled(
        self, accounts: Accounts
    ) -> None:
        """Nor if a password was set since: whoever asked for it may be who was thrown out by it."""
        await accounts.add(ACCOUNT)
        ann = accounts.of(ANN)
        await ann.add_address("late", "ann@example.org", expires_us=100)
        assert await accounts.take_address("late", now_us=100) is None
        await ann.add_address("taken", "bob@example.com", expires_us=100)
        await accounts.add(OTHER)
        with pytest.raises(Conflict):
            await accounts.take_address("taken", now_us=50)
        await ann.add_address("void", "ann@example.org", expires_us=100)
        await ann.set_password("#", now_us=20)
        assert await accounts.take_address("void", now_us=50) is None
        await ann.add_address("disabled", "ann@example.org", expires_us=100)
        await ann.set_disabled(disabled=True, now_us=30)

        assert await accounts.take_address("disabled", now_us=50) is None

        assert await ann.get() == replace(ACCOUNT, is_disabled=True)

    async def test_all_sessions_end_but_one(self, accounts: Accounts) -> None:
        """Those of others go on."""
        await accounts.add(ACCOUNT)
        await accounts.add(OTHER)
        for number in (10, 11, 12):
            session = _session(number)
            await accounts.of(ANN).add_session(
                session, token_hash=f"t{number}", most=5, now_us=number
            )
        theirs = replace(SESSION, user_id=BOB)
        await accounts.of(BOB).add_session(theirs, token_hash="tb", most=5, now_us=10)

        ended = await accounts.of(ANN).end_sessions(but=SessionId("s11"), now_us=20)

        assert ended == 2
        assert [one.id for one in await accounts.of(ANN).sessions(now_us=21)] == ["s11"]
        assert await accounts.of(BOB).sessions(now_us=21) == [theirs]

    async def test_sessions_that_were_over_long_ago_are_forgotten(self, accounts: Accounts) -> None:
        """With their tokens: what is used again is unknown then."""
        await accounts.add(ACCOUNT)
        await accounts.of(ANN).add_session(SESSION, token_hash="t", most=5, now_us=10)
        later = 101 + _DAY_US

        new = replace(_session(11), expires_us=later + 100)
        await accounts.of(ANN).add_session(new, token_hash="t2", most=5, now_us=later)

        assert await _rotate(accounts, "t", "x", now_us=later) == (None, False)


def _session(number: int) -> SessionRecord:
    return replace(SESSION, id=SessionId(f"s{number}"), created_us=number, last_used_us=number)


async def _rotate(
    accounts: Accounts, old: str, new: str, *, now_us: int
) -> tuple[SessionRecord | None, bool]:
    return await accounts.rotate(old, new, expires_us=now_us + 100, address="::1", now_us=now_us)
