"""Plays DataForSEO."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_FINE: Final = 20_000
_FOUND: Final = {
    "keyword": "cat food",
    "keyword_info": {"search_volume": 90_500, "competition": 1, "cpc": 1.2},
    "keyword_properties": {"keyword_difficulty": 55},
}


class DataForSeo:
    """Knows one keyword."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as the live addresses of its keywords do: with success, whatever they say."""
        if not asked.has_login:
            words = "You are not authorized to access this resource."
            return Reply(status=401, value={"status_code": 40_100, "status_message": words})
        [task] = asked.json()
        if not task.get("keyword"):
            return _said({"status_code": 40_501, "status_message": "Invalid Field: 'keyword'."})
        related = "related_keywords" in asked.path
        item: dict[str, Any] = {"keyword_data": _FOUND, "depth": 0} if related else dict(_FOUND)
        result = {"seed_keyword": task["keyword"], "total_count": 1, "items": [item]}
        return _said({"status_code": _FINE, "status_message": "Ok.", "result": [result]})


def _said(task: dict[str, Any]) -> Reply:
    return Reply(value={"status_code": _FINE, "status_message": "Ok.", "tasks": [task]})
