"""What tokens of this server are signed with. Apart, for commands that sign one and need no more."""

from backend.services.local_tokens import LocalKey
from backend.settings import Settings


def local_key(settings: Settings) -> LocalKey:
    """Return what tokens of this server are signed with."""
    return LocalKey.of(
        verify_key=settings.jwt_verify_key.get_secret_value(),
        algorithm=settings.jwt_sign_algorithm,
        instance_key=settings.instance_key.get_secret_value(),
    )
