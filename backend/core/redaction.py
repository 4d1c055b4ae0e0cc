"""Takes secrets out of what others say: a server that was shown one may show it around."""

import base64
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, quote_plus

from backend.core.credentials import MASK, Secret

#: Shorter ones would take words apart that are none.
_SHORTEST: Final = 6


class Redactor:
    """Puts a mask where one of some secrets stands: as it is, or in a usual coding of it."""

    __slots__ = ("_texts",)

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._texts: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[Secret]) -> None:
        """Look for *secrets* too."""
        texts = set(self._texts)
        for secret in secrets:
            texts.update(_forms(secret.reveal()))
        # The longest first: what holds another one goes as a whole.
        self._texts = sorted(texts, key=lambda text: (-len(text), text))

    def text(self, text: str) -> str:
        """Return *text* without the secrets."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return *value*, JSON, without the secrets, in names too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        return value


def _forms(text: str) -> set[str]:
    if len(text) < _SHORTEST:
        return set()
    raw = text.encode("utf-8", "replace")
    forms = {text, quote(text, safe=""), quote(text), quote_plus(text)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        coded = encode(raw).decode()
        forms |= {coded, coded.rstrip("=")}
    # What others put before a secret shifts its base64: the two other places leave a middle.
    for shift in (1, 2):
        middle = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        forms.add(middle[shift + 1 : len(middle) - 2])
    return {form for form in forms if len(form) >= _SHORTEST}
