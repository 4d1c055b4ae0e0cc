"""The spec of apps, codes and tokens in storage: what every adapter must do."""

import asyncio
from dataclasses import replace
from typing import Final

import pytest

from backend.core.api_keys import secret_of
from backend.core.errors import Conflict, NotFound
from backend.core.ids import OAuthAppId, UserId
from backend.core.oauth import AuthorizationCode, Logo, OAuthApp, OAuthToken, TokenKind
from backend.core.permissions import Permission
from backend.ports.oauth import OAuthStorage

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
DAY_US: Final = 24 * 3600 * 1_000_000
APP: Final = OAuthApp(
    id=OAuthAppId("app"),
    user_id=ANN,
    client_id="agpt_client_app",
    secret=replace(secret_of("agpt_secret", "ab" * 16), head="", tail=""),
    name="App",
    description=None,
    redirect_uris=("https://app.example/ü", "my.app:/"),
    scopes=(Permission.IDENTITY,),
    created_us=1,
    updated_us=1,
)
CODE: Final = AuthorizationCode(
    hash="code",
    app_id=APP.id,
    user_id=BOB,
    family="family",
    redirect_uri="my.app:/",
    scopes=(Permission.IDENTITY,),
    challenge="c" * 43,
    expires_us=10,
)
ACCESS: Final = OAuthToken(
    hash="access",
    kind=TokenKind.ACCESS,
    app_id=APP.id,
    user_id=BOB,
    family="family",
    scopes=(Permission.IDENTITY,),
    created_us=1,
    expires_us=10,
)
REFRESH: Final = replace(ACCESS, hash="refresh", kind=TokenKind.REFRESH, expires_us=20)
PICTURE: Final = Logo(media_type="image/png", content=b"\x89\x00\xff")


class OAuthSpec:
    """Run it over an adapter by giving the fixture *oauth*."""

    async def test_an_app_comes_back_as_it_was_given(self, oauth: OAuthStorage) -> None:
        """To its owner, and to whoever knows its client id."""
        await oauth.of(ANN).add(APP, most=1)

        assert await oauth.of(ANN).get(APP.id) == APP
        assert await oauth.of(ANN).listed() == [APP]
        assert await oauth.app_of_client(APP.client_id) == APP
        assert await oauth.app_of_client("agpt_client_nobody") is None

    async def test_another_user_has_no_such_app(self, oauth: OAuthStorage) -> None:
        """Not to read, and not to change either."""
        await oauth.of(ANN).add(APP, most=1)
        bobs = oauth.of(BOB)

        assert await bobs.get(APP.id) is None
        assert await bobs.listed() == []
        for change in (
            bobs.set_active(APP.id, is_active=False, now_us=2),
            bobs.set_logo(APP.id, PICTURE, name="x", now_us=2),
        ):
            with pytest.raises(NotFound):
                await change
        assert await oauth.app_of_client(APP.client_id) == APP
        assert await oauth.logo(APP.id) is None

    async def test_one_app_too_many_is_refused(self, oauth: OAuthStorage) -> None:
        """Those of others do not count."""
        await oauth.of(ANN).add(APP, most=1)
        second = replace(APP, id=OAuthAppId("second"), client_id="second")

        with pytest.raises(Conflict):
            await oauth.of(ANN).add(second, most=1)

        await oauth.of(BOB).add(second, most=1)

    async def test_an_app_is_switched_off_and_on(self, oauth: OAuthStorage) -> None:
        """Who looks a token up sees it at once."""
        await oauth.of(ANN).add(APP, most=1)
        await oauth.add_code(CODE, now_us=1)
        await oauth.redeem(CODE.hash, (ACCESS,), now_us=2)

        off = await oauth.of(ANN).set_active(APP.id, is_active=False, now_us=5)

        assert off == replace(APP, is_active=False, updated_us=5)
        assert await oauth.token(ACCESS.hash) == (ACCESS, off)
        await oauth.of(ANN).set_active(APP.id, is_active=True, now_us=6)
        assert await oauth.token(ACCESS.hash) == (ACCESS, replace(APP, updated_us=6))

    async def test_a_logo_is_kept_changed_and_taken_away(self, oauth: OAuthStorage) -> None:
        """Its name stands with the app."""
        await oauth.of(ANN).add(APP, most=1)
        other = Logo(media_type="image/webp", content=b"RIFF")

        await oauth.of(ANN).set_logo(APP.id, PICTURE, name="one", now_us=2)
        assert await oauth.logo(APP.id) == PICTURE
        changed = await oauth.of(ANN).set_logo(APP.id, other, name="two", now_us=3)
        assert changed == replace(APP, logo="two", updated_us=3)
        assert await oauth.logo(APP.id) == other
        gone = await oauth.of(ANN).set_logo(APP.id, None, name=None, now_us=4)

        assert gone == replace(APP, updated_us=4)
        assert await oauth.logo(APP.id) is None

    async def test_a_code_is_redeemed_once_with_its_tokens(self, oauth: OAuthStorage) -> None:
        """The second time saves nothing; the first is remembered."""
        await oauth.of(ANN).add(APP, most=1)
        await oauth.add_code(CODE, now_us=1)
        assert await oauth.code(CODE.hash) == CODE

        assert await oauth.redeem(CODE.hash, (ACCESS,), now_us=2)
        assert not await oauth.redeem(CODE.hash, (REFRESH,), now_us=3)

        assert await oauth.code(CODE.hash) == replace(CODE, used_us=2)
        assert await oauth.token(ACCESS.hash) == (ACCESS, APP)
        assert await oauth.token(REFRESH.hash) is None
        assert not await oauth.redeem("nothing", (REFRESH,), now_us=3)

    async def test_of_many_who_redeem_one_code_one_does(self, oauth: OAuthStorage) -> None:
        """However they are mixed."""
        await oauth.add_code(CODE, now_us=1)

        won = await asyncio.gather(
            *(
                oauth.redeem(CODE.hash, (replace(ACCESS, hash=f"access {n}"),), now_us=2)
                for n in range(8)
            )
        )

        assert sorted(won) == [False] * 7 + [True]

    async def test_a_token_is_rotated_once(self, oauth: OAuthStorage) -> None:
        """The second time saves nothing."""
        await oauth.of(ANN).add(APP, most=1)
        await oauth.add_code(CODE, now_us=1)
        await oauth.redeem(CODE.hash, (REFRESH,), now_us=2)
        next_, third = replace(REFRESH, hash="next"), replace(REFRESH, hash="third")

        assert await oauth.rotate(REFRESH.hash, (next_, ACCESS), now_us=3)
        assert not await oauth.rotate(REFRESH.hash, (third,), now_us=4)

        assert await oauth.token(REFRESH.hash) == (replace(REFRESH, revoked_us=3), APP)
        assert await oauth.token("next") == (next_, APP)
        assert await oauth.token("third") is None

    async def test_a_family_is_revoked_without_the_others(self, oauth: OAuthStorage) -> None:
        """Those of it that were revoked before stay as they are."""
        await oauth.of(ANN).add(APP, most=1)
        await oauth.add_code(CODE, now_us=1)
        stranger = replace(ACCESS, hash="stranger", family="other")
        await oauth.redeem(CODE.hash, (ACCESS, REFRESH, stranger), now_us=2)
        assert await oauth.revoke(ACCESS.hash, now_us=3)
        assert not await oauth.revoke(ACCESS.hash, now_us=4)
        assert not await oauth.revoke("nothing", now_us=4)

        assert await oauth.revoke_family("family", now_us=5) == 1
        assert await oauth.revoke_family("family", now_us=6) == 0

        assert await oauth.token(ACCESS.hash) == (replace(ACCESS, revoked_us=3), APP)
        assert await oauth.token(REFRESH.hash) == (replace(REFRESH, revoked_us=5), APP)
        assert await oauth.token("stranger") == (stranger, APP)

    async def test_what_has_been_over_for_a_day_goes_with_what_comes(
        self, oauth: OAuthStorage
    ) -> None:
        """Not before: who uses it again must be found out."""
        await oauth.of(ANN).add(APP, most=1)
        await oauth.add_code(CODE, now_us=1)
        late = replace(ACCESS, hash="late", expires_us=10 * DAY_US)
        await oauth.redeem(CODE.hash, (ACCESS, late), now_us=2)

        for now_us, there in ((10 + DAY_US, True), (11 + DAY_US, False)):
            await oauth.add_code(replace(CODE, hash=f"{now_us}", expires_us=now_us), now_us=now_us)
            await oauth.rotate("nothing", (), now_us=now_us)
            assert (await oauth.code(CODE.hash) is not None) == there
            assert (await oauth.token(ACCESS.hash) is not None) == there

        assert await oauth.token("late") is not None
