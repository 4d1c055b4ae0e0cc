"""Who is let in to the external API: an API key, or an app that a user has let in."""

from dataclasses import dataclass

from backend.core.audit import By
from backend.core.ids import UserId
from backend.core.permissions import Permission
from backend.services.api_keys import ApiKeyService
from backend.services.oauth import MayAct, OAuthService


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """
    What somebody may do, and for whom.

    Attributes:
        by: By a key, or by an app's token.
        id: Of the key or app; what is asked with it is counted together.
    """

    user_id: UserId
    scopes: frozenset[Permission]
    by: By
    id: str


class AccessService:
    """Keys and tokens, looked up at each request: what is taken back opens nothing from then on."""

    def __init__(self, *, api_keys: ApiKeyService, oauth: OAuthService, may_act: MayAct) -> None:
        """Look up keys and tokens; *may_act* says whether a user is let in at all."""
        self._api_keys = api_keys
        self._oauth = oauth
        self._may_act = may_act

    async def of(self, *, api_key: str | None, token: str | None) -> Access | None:
        """Return what *api_key* opens or, without one, what *token* does; None for nothing."""
        if api_key is not None:
            # The only one that counts, also when it is wrong (spec/contract.md 2.6).
            return await self._of_key(api_key)
        return None if token is None else await self._of_token(token)

    async def _of_key(self, text: str) -> Access | None:
        found = await self._api_keys.known(text)
        if found is None or not await self._may_act(found.user_id):
            return None
        return Access(user_id=found.user_id, scopes=frozenset(found.scopes), by=By.KEY, id=found.id)

    async def _of_token(self, text: str) -> Access | None:
        found = await self._oauth.known(text)
        if found is None:
            return None
        return Access(
            user_id=found.user_id,
            scopes=frozenset(found.scopes),
            by=By.OAUTH,
            id=found.app_id,
        )
