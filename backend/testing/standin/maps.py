"""Plays the Places API of Google Maps: three pages of twenty for everything, or nothing."""

from backend.testing.standin.messages import KEY, Asked, Reply


class GoogleMaps:
    """Its marks are good at the second time of asking."""

    def __init__(self) -> None:
        self._early: set[str] = set()

    def answer(self, asked: Asked) -> Reply:
        """Answer as its text search and details do: always 200, the status is in the body."""
        if asked.one("key") != KEY:
            words = "The provided API key is invalid."
            return Reply(value={"status": "REQUEST_DENIED", "error_message": words})
        if asked.path == "/details/json":
            return Reply(value={"status": "OK", "result": _details(asked.one("place_id"))})
        mark = asked.one("pagetoken")
        if mark and mark not in self._early:
            self._early.add(mark)
            return Reply(value={"status": "INVALID_REQUEST", "results": []})
        query, _, page = (mark or f"{asked.one('query')}|1").rpartition("|")
        if query == "nothing":
            return Reply(value={"status": "ZERO_RESULTS", "results": []})
        first = (int(page) - 1) * 20
        results = [
            {"place_id": f"{query}|{number}", "name": f"{query} {number}"}
            for number in range(first + 1, first + 21)
        ]
        answer = {"status": "OK", "results": results}
        return Reply(
            value=answer
            if page == "3"
            else {**answer, "next_page_token": f"{query}|{int(page) + 1}"}
        )


def _details(place: str) -> dict[str, object]:
    query, _, number = place.rpartition("|")
    return {
        "name": f"{query} {number}",
        "formatted_address": f"{number} Example Street",
        "formatted_phone_number": f"020 {number}",
        "rating": 4.5,
        "user_ratings_total": 120,
        "website": f"https://example.com/{number}",
    }
