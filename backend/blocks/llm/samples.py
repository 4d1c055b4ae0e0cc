"""What the examples of these blocks share."""

from typing import Any, Final

#: A reference to somebody's key.
KEY: Final[dict[str, Any]] = {"id": "mine", "provider": "openai", "type": "api_key"}
