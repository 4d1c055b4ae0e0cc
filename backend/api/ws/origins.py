"""Which web pages may open a socket (spec/contract.md 3.3)."""

import re
from collections.abc import Sequence
from typing import Final

from backend.core.errors import BadSetting

_REGEX: Final = "regex:"


class Origins:
    """
    The list of allowed origins: exact ones, and patterns after ``regex:``.

    Programs send no Origin and pass: what keeps them out is the token. A browser always sends
    one, and a page of somebody else must not use what the browser can reach on this machine.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        """
        Take the setting's values.

        Raises:
            BadSetting: If a pattern is not a regular expression.
        """
        exact = {one.rstrip("/") for one in allowed if not one.startswith(_REGEX)}
        # The same page under the other name of this machine.
        twins = {one.replace("://localhost", "://127.0.0.1", 1) for one in exact}
        self._exact = exact | twins
        try:
            self._patterns = [
                re.compile(one.removeprefix(_REGEX)) for one in allowed if one.startswith(_REGEX)
            ]
        except re.error as exc:
            message = f"BACKEND_CORS_ALLOW_ORIGINS has a pattern that cannot be used: {exc}"
            raise BadSetting(message) from exc

    def allow(self, origins: Sequence[str]) -> bool:
        """Say whether a request with these Origin headers may pass."""
        return all(self._allows(origin) for origin in origins)

    def _allows(self, origin: str) -> bool:
        return origin in self._exact or any(one.fullmatch(origin) for one in self._patterns)
