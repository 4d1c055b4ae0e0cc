"""Who credentials are for: the names that are known, and how accounts are connected, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from backend.core.credentials import CredentialsKind

#: Any other name is a provider too (spec/contract.md 10.1).
BUILT_IN: Final = (
    "aiml_api", "anthropic", "apollo", "compass", "discord", "d_id", "e2b", "fal", "github",
    "google", "google_maps", "groq", "http", "hubspot", "enrichlayer", "ideogram", "jina",
    "llama_api", "medium", "mem0", "notion", "nvidia", "ollama", "openai", "openweathermap",
    "open_router", "pinecone", "reddit", "replicate", "revid", "screenshotone", "slant3d",
    "smartlead", "smtp", "twitter", "todoist", "unreal_speech", "v0", "webshare_proxy",
    "zerobounce",
)  # fmt: skip
#: Those that packages of blocks bring.
OF_BLOCKS: Final = (
    "airtable", "baas", "bannerbear", "dataforseo", "exa", "firecrawl", "generic_webhook",
    "imap", "linear", "stagehand", "wolfram", "wordpress",
)  # fmt: skip
NAMES: Final = tuple(sorted((*BUILT_IN, *OF_BLOCKS)))
_WITH_PASSWORD: Final = frozenset({"dataforseo", "imap", "smtp", "webshare_proxy"})
_WITH_ACCOUNT: Final = frozenset({"google", "notion", "reddit", "todoist", "twitter", "wordpress"})


class ClientAuth(StrEnum):
    """How a client shows at the token address who it is."""

    BASIC = "basic"
    POST = "post"
    NONE = "none"  #: by nothing but its id: what it was given with the code proves the rest


class Revocation(StrEnum):
    """How tokens are taken back."""

    NONE = "none"
    STANDARD = "standard"  #: RFC 7009
    QUERY = "query"  #: the token in the address, and nobody is asked who they are
    GITHUB = "github"


@dataclass(frozen=True, kw_only=True)
class OAuthProvider:
    """
    How accounts of a provider are connected (RFC 6749, 7636).

    Attributes:
        default_scopes: Asked for when nobody says which.
        always_scopes: Asked for beside those.
        fixed_scopes: The provider gives these to everybody; what is asked for does not count.
        scope_separator: Between scopes in the address.
        is_json: The token address takes JSON instead of a form.
        user_url: Tells whose account it is; empty: nobody does.
        username_at: Where in that answer, or in the token's own, the name stands; dots go inside.
        kept: What of the token's answer is kept as metadata.
    """

    name: str
    authorize_url: str
    token_url: str
    revoke_url: str = ""
    revocation: Revocation = Revocation.NONE
    client_auth: ClientAuth = ClientAuth.POST
    default_scopes: tuple[str, ...] = ()
    always_scopes: tuple[str, ...] = ()
    fixed_scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    pkce: bool = True
    is_json: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)  #: of the address to sign in at
    token_extra: Mapping[str, str] = field(default_factory=dict)  #: of what is sent for tokens
    user_url: str = ""
    username_at: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def scopes(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Return the scopes to ask for when somebody wants *asked*."""
        if self.fixed_scopes:
            return self.fixed_scopes
        return tuple(dict.fromkeys((*(asked or self.default_scopes), *self.always_scopes)))

    def at(self, base_url: str) -> "OAuthProvider":
        """Return the same provider with all its addresses below *base_url*."""
        return replace(
            self,
            authorize_url=_below(base_url, self.authorize_url),
            token_url=_below(base_url, self.token_url),
            revoke_url=_below(base_url, self.revoke_url),
            user_url=_below(base_url, self.user_url),
        )


def _below(base_url: str, url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    return base_url.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


_TWITTER_SCOPES: Final = (
    "tweet.read", "tweet.write", "tweet.moderate.write", "users.read", "follows.read",
    "follows.write", "offline.access", "space.read", "mute.read", "mute.write", "like.read",
    "like.write", "list.read", "list.write", "block.read", "block.write", "bookmark.read",
    "bookmark.write",
)  # fmt: skip
_GOOGLE: Final = "https://www.googleapis.com"
_SCOPES_OF_TASKS: Final = (
    "task:add",
    "data:read",
    "data:read_write",
    "data:delete",
    "project:delete",
)

_PROVIDERS: Final = (
    OAuthProvider(
        name="airtable",
        authorize_url="https://airtable.com/oauth2/v1/authorize",
        token_url="https://airtable.com/oauth2/v1/token",  # noqa: S106 - an address
        client_auth=ClientAuth.BASIC,
        default_scopes=("data.records:read", "schema.bases:read"),
        user_url="https://api.airtable.com/v0/meta/whoami",
        username_at=("email", "id"),
    ),
    OAuthProvider(
        name="discord",
        authorize_url="https://discord.com/oauth2/authorize",
        token_url="https://discord.com/api/oauth2/token",  # noqa: S106 - an address
        revoke_url="https://discord.com/api/oauth2/token/revoke",
        revocation=Revocation.STANDARD,
        default_scopes=("identify",),
        user_url="https://discord.com/api/v10/users/@me",
        username_at=("username",),
    ),
    OAuthProvider(
        name="github",
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",  # noqa: S106 - an address
        revoke_url="https://api.github.com/applications/{client_id}/token",
        revocation=Revocation.GITHUB,
        user_url="https://api.github.com/user",
        username_at=("login",),
    ),
    OAuthProvider(
        name="google",
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
        revoke_url="https://oauth2.googleapis.com/revoke",
        revocation=Revocation.QUERY,
        always_scopes=(
            f"{_GOOGLE}/auth/userinfo.email",
            f"{_GOOGLE}/auth/userinfo.profile",
            "openid",
        ),
        # A refresh token comes only with consent, and only for who wants to act alone.
        extra={"access_type": "offline", "prompt": "consent"},
        user_url=f"{_GOOGLE}/oauth2/v2/userinfo",
        username_at=("email",),
    ),
    OAuthProvider(
        name="linear",
        authorize_url="https://linear.app/oauth/authorize",
        token_url="https://api.linear.app/oauth/token",  # noqa: S106 - an address
        revoke_url="https://api.linear.app/oauth/revoke",
        revocation=Revocation.STANDARD,
        default_scopes=("read",),
        scope_separator=",",
    ),
    OAuthProvider(
        name="notion",
        authorize_url="https://api.notion.com/v1/oauth/authorize",
        token_url="https://api.notion.com/v1/oauth/token",  # noqa: S106 - an address
        client_auth=ClientAuth.BASIC,
        pkce=False,
        is_json=True,
        extra={"owner": "user"},
        username_at=("owner.user.name", "workspace_name"),
        kept=("bot_id", "workspace_id", "workspace_name"),
    ),
    OAuthProvider(
        name="reddit",
        authorize_url="https://www.reddit.com/api/v1/authorize",
        token_url="https://www.reddit.com/api/v1/access_token",  # noqa: S106 - an address
        revoke_url="https://www.reddit.com/api/v1/revoke_token",
        revocation=Revocation.STANDARD,
        client_auth=ClientAuth.BASIC,
        default_scopes=("identity", "read", "submit", "edit", "history", "flair"),
        pkce=False,
        extra={"duration": "permanent"},
        user_url="https://oauth.reddit.com/api/v1/me",
        username_at=("name",),
    ),
    OAuthProvider(
        name="todoist",
        authorize_url="https://todoist.com/oauth/authorize",
        token_url="https://todoist.com/oauth/access_token",  # noqa: S106 - an address
        fixed_scopes=_SCOPES_OF_TASKS,
        scope_separator=",",
        pkce=False,
    ),
    OAuthProvider(
        name="twitter",
        authorize_url="https://twitter.com/i/oauth2/authorize",
        token_url="https://api.x.com/2/oauth2/token",  # noqa: S106 - an address
        revoke_url="https://api.x.com/2/oauth2/revoke",
        revocation=Revocation.STANDARD,
        client_auth=ClientAuth.BASIC,
        fixed_scopes=_TWITTER_SCOPES,
        user_url="https://api.x.com/2/users/me",
        username_at=("data.username",),
    ),
    OAuthProvider(
        name="wordpress",
        authorize_url="https://public-api.wordpress.com/oauth2/authorize",
        token_url="https://public-api.wordpress.com/oauth2/token",  # noqa: S106 - an address
        pkce=False,
        default_scopes=("posts", "media"),
        user_url="https://public-api.wordpress.com/rest/v1/me",
        username_at=("username",),
        kept=("blog_id", "blog_url"),
    ),
)
#: By name.
OAUTH: Final[Mapping[str, OAuthProvider]] = {one.name: one for one in _PROVIDERS}


def kinds_of(name: str) -> frozenset[CredentialsKind]:
    """Return the kinds of credentials that a provider takes, as far as its blocks say."""
    if name == "http":
        return frozenset({CredentialsKind.HOST_SCOPED})
    if name in _WITH_PASSWORD:
        return frozenset({CredentialsKind.LOGIN})
    kinds = set() if name in _WITH_ACCOUNT else {CredentialsKind.KEY}
    return frozenset(kinds | ({CredentialsKind.OAUTH2} if name in OAUTH else set()))
