"""Plays Apollo: two people who work at two organizations, each on a page of its own."""

from typing import Any, Final

from backend.testing.standin.messages import KEY, Asked, Reply

#: Its values are not always of the kind that its pages promise.
_CATS: Final = {"id": "o1", "name": "Cats", "founded_year": 1999, "linkedin_uid": 77}
_DOGS: Final = {"id": "o2", "name": "Dogs", "founded_year": None}
_ANN: Final = {
    "id": "a1",
    "name": "Ann Cat",
    "email": "email_not_unlocked@example.com",
    "email_status": "verified",
    "organization": {"id": "o1", "name": "Cats"},
}
_BOB: Final = {**_ANN, "id": "b1", "name": "Bob Dog"}


class Apollo:
    """Answers as version 1 of its API does."""

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.headers.get("x-api-key") != KEY:
            return Reply(status=401, value={"error": "Invalid access credentials."})
        given = asked.json()
        match asked.path:
            case "/mixed_companies/search":
                return _page("organizations", [_CATS, _DOGS], given)
            case "/mixed_people/search":
                return _page("people", [_ANN, _BOB], given)
            case "/people/match":
                known = given.get("id") == "a1" or given.get("email") == "ann@example.com"
                person = {**_ANN, "email": "ann@example.com"} if known else None
                return Reply(value={"person": person})
        return Reply(status=404, value={"error": "Not found"})


def _page(name: str, found: list[dict[str, Any]], given: dict[str, Any]) -> Reply:
    number = given["page"]
    pages = {"page": number, "per_page": given["per_page"], "total_pages": len(found)}
    return Reply(value={name: found[number - 1 : number], "pagination": pages})
