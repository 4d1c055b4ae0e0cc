"""The spec of API keys in storage: what every adapter must do."""

from dataclasses import replace
from typing import Final

import pytest

from backend.core.api_keys import ApiKeyRecord, ApiKeyStatus, secret_of
from backend.core.errors import Conflict, NotFound
from backend.core.ids import ApiKeyId, UserId
from backend.core.permissions import Permission
from backend.ports.api_keys import ApiKeys

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
OLD: Final = secret_of("agpt_old" + "o" * 40, "ab" * 16)
NEW: Final = secret_of("agpt_new" + "n" * 40, "cd" * 16)
KEY: Final = ApiKeyRecord(
    id=ApiKeyId("key"),
    user_id=ANN,
    name="key",
    description="größer",
    secret=OLD,
    scopes=(Permission.IDENTITY, Permission.READ_GRAPH),
    created_us=1,
    expires_us=99,
)


class ApiKeysSpec:
    """Run it over an adapter by giving the fixture *keys*."""

    async def test_a_key_comes_back_as_it_was_given(self, keys: ApiKeys) -> None:
        """All of it, by its id, in the list and by its head."""
        await keys.of(ANN).add(KEY, most=1)

        assert await keys.of(ANN).get(KEY.id) == KEY
        assert await keys.of(ANN).listed(limit=9) == [KEY]
        assert await keys.with_head(OLD.head) == [KEY]
        assert await keys.with_head(NEW.head) == []

    async def test_another_user_has_no_such_key(self, keys: ApiKeys) -> None:
        """Not to read, and not to change either."""
        await keys.of(ANN).add(KEY, most=1)
        bobs = keys.of(BOB)

        assert await bobs.get(KEY.id) is None
        assert await bobs.listed(limit=9) == []
        for change in (
            bobs.set_scopes(KEY.id, ()),
            bobs.set_status(KEY.id, ApiKeyStatus.REVOKED, now_us=2),
            bobs.set_status(KEY.id, KEY.status, now_us=2),
            bobs.rotate(KEY.id, NEW, previous_until_us=9),
        ):
            with pytest.raises(NotFound):
                await change
        assert await keys.of(ANN).get(KEY.id) == KEY

    async def test_the_newest_come_first_and_no_more_than_are_wanted(self, keys: ApiKeys) -> None:
        """Also of those that were made at the same time: the later id is the newer."""
        for name, at in (("a", 1), ("b", 3), ("c", 3), ("d", 2)):
            made = replace(KEY, id=ApiKeyId(name), created_us=at)
            await keys.of(ANN).add(made, most=9)

        assert [one.id for one in await keys.of(ANN).listed(limit=3)] == ["c", "b", "d"]

    async def test_one_too_many_is_refused_and_revoked_ones_do_not_count(
        self, keys: ApiKeys
    ) -> None:
        """Nor do those of others."""
        await keys.of(ANN).add(KEY, most=1)
        await keys.of(BOB).add(replace(KEY, id=ApiKeyId("bob's"), user_id=BOB), most=1)
        second = replace(KEY, id=ApiKeyId("second"))

        with pytest.raises(Conflict):
            await keys.of(ANN).add(second, most=1)

        await keys.of(ANN).set_status(KEY.id, ApiKeyStatus.REVOKED, now_us=2)
        await keys.of(ANN).add(second, most=1)

    async def test_of_those_that_are_revoked_the_newest_stay(self, keys: ApiKeys) -> None:
        """As many as there may be others; those of others are left alone."""
        await keys.of(BOB).add(replace(KEY, id=ApiKeyId("bob's"), user_id=BOB), most=2)
        await keys.of(BOB).set_status(ApiKeyId("bob's"), ApiKeyStatus.REVOKED, now_us=2)
        for at in range(5):
            made = replace(KEY, id=ApiKeyId(f"{at}"), created_us=at)
            await keys.of(ANN).add(made, most=2)
            await keys.of(ANN).set_status(made.id, ApiKeyStatus.REVOKED, now_us=9)

        await keys.of(ANN).add(KEY, most=2)

        assert [one.id for one in await keys.of(ANN).listed(limit=9)] == ["4", "3", "key"]
        assert len(await keys.of(BOB).listed(limit=9)) == 1

    async def test_what_it_may_do_is_replaced(self, keys: ApiKeys) -> None:
        """And nothing else about it."""
        await keys.of(ANN).add(KEY, most=1)

        changed = await keys.of(ANN).set_scopes(KEY.id, (Permission.USE_TOOLS,))

        assert changed == replace(KEY, scopes=(Permission.USE_TOOLS,))

    async def test_a_revoked_key_stays_as_it_is(self, keys: ApiKeys) -> None:
        """Nothing makes it good again, and it was revoked when it was revoked first."""
        await keys.of(ANN).add(KEY, most=1)
        await keys.of(ANN).set_status(KEY.id, ApiKeyStatus.SUSPENDED, now_us=2)

        revoked = await keys.of(ANN).set_status(KEY.id, ApiKeyStatus.REVOKED, now_us=3)
        again = await keys.of(ANN).set_status(KEY.id, ApiKeyStatus.REVOKED, now_us=4)

        assert again == revoked == replace(KEY, status=ApiKeyStatus.REVOKED, revoked_us=3)
        for status in (ApiKeyStatus.ACTIVE, ApiKeyStatus.SUSPENDED):
            with pytest.raises(Conflict):
                await keys.of(ANN).set_status(KEY.id, status, now_us=5)
        with pytest.raises(Conflict):
            await keys.of(ANN).rotate(KEY.id, NEW, previous_until_us=9)
        assert await keys.of(ANN).get(KEY.id) == revoked

    async def test_a_rotated_key_is_found_by_what_it_is_and_by_what_it_was(
        self, keys: ApiKeys
    ) -> None:
        """Only the last two count."""
        await keys.of(ANN).add(KEY, most=1)

        rotated = await keys.of(ANN).rotate(KEY.id, NEW, previous_until_us=9)

        assert rotated == replace(KEY, secret=NEW, previous=OLD, previous_until_us=9)
        assert await keys.with_head(OLD.head) == await keys.with_head(NEW.head) == [rotated]
        third = secret_of("agpt_3rd" + "t" * 40, "ef" * 16)
        await keys.of(ANN).rotate(KEY.id, third, previous_until_us=9)
        assert await keys.with_head(OLD.head) == []

    async def test_the_latest_use_stays_whatever_is_noted_later(self, keys: ApiKeys) -> None:
        """Several processes may note uses, each after a while. Unknown keys are no matter."""
        await keys.of(ANN).add(KEY, most=1)

        await keys.note_uses({KEY.id: 7, ApiKeyId("nothing"): 8})
        await keys.note_uses({KEY.id: 5})

        assert await keys.of(ANN).get(KEY.id) == replace(KEY, last_used_us=7)
