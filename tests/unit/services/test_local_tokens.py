"""Tokens of this server where those of others are checked with a public key, which cannot sign."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backend.api.auth import Authenticator, NotAuthenticated
from backend.core.ids import UserId
from backend.services.local_tokens import AUDIENCE, LocalKey, sign
from backend.services.standings import Standings
from backend.testing.accounts import TransientRevision
from backend.testing.clock import FakeClock

PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
LOCAL = LocalKey.of(verify_key=PUBLIC, algorithm="ES256", instance_key="of this installation")
NOW_S = 1_000


def authenticator() -> Authenticator:
    standings = Standings(
        accounts=None,  # type: ignore[arg-type] # nothing is looked up here
        revision=TransientRevision(),
        clock=FakeClock(),
        access_token_s=900,
    )
    return Authenticator(
        key=PUBLIC, algorithm="ES256", now_s=lambda: NOW_S, standings=standings, local=LOCAL
    )


def local_token(key: LocalKey) -> str:
    return sign(
        key, user_id=UserId("ann"), email="a@b.c", name=None, is_admin=False, now_s=NOW_S, ttl_s=60
    )


def test_our_own_tokens_and_those_of_the_issuer_are_good() -> None:
    claims = {"sub": "bob", "aud": AUDIENCE, "exp": NOW_S + 60}
    theirs = jwt.encode(claims, PRIVATE, algorithm="ES256")

    assert authenticator().of_token(local_token(LOCAL)).user_id == "ann"
    assert authenticator().of_token(theirs).user_id == "bob"


def test_what_everybody_knows_signs_nothing() -> None:
    """Neither the public key as a secret, nor the key of another installation."""
    other = LocalKey.of(verify_key=PUBLIC, algorithm="ES256", instance_key="of another")
    assert PUBLIC not in LOCAL.secret

    for key in (other, LocalKey(secret=PUBLIC[:64], algorithm="HS256")):
        with pytest.raises(NotAuthenticated):
            authenticator().of_token(local_token(key))
