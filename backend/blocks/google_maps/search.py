"""GoogleMapsSearch: businesses and places, with address, telephone and what people think of them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.sdk import (
    BadRequest,
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    ServiceLimited,
    WebFailed,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Query, Service, ServiceCalls, pages, until

MAPS: Final = Service(
    provider="google_maps",
    name="Google Maps",
    url="https://maps.googleapis.com/maps/api/place",
    query="key",
)
_MINE: Final = {"id": "mine", "provider": "google_maps", "type": "api_key"}
_FIELDS: Final = "name,formatted_address,formatted_phone_number,rating,user_ratings_total,website"
#: The mark of the next page is good some moments after it is given.
MARK_EVERY_S: Final = 1.0
_MARK_MOST_S: Final = 15.0


class GoogleMapsSearchBlock(Block):
    """Searches Google Maps for businesses and places."""

    id = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"query": "Bakery in Oslo", "max_results": 1, "credentials": _MINE},
            outputs=[
                (
                    "place",
                    {
                        "name": "Bakery in Oslo 1",
                        "address": "1 Example Street",
                        "phone": "020 1",
                        "rating": 4.5,
                        "reviews": 120,
                        "website": "https://example.com/1",
                    },
                )
            ],
        ),
        Example(inputs={"query": "nothing", "credentials": _MINE}, outputs=[]),
        Example(
            inputs={"query": "x", "max_results": 61, "credentials": _MINE},
            error="61 is greater than the maximum of 60",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["google_maps"],
            [CredentialsKind.KEY],
            description="A key of Google Maps that may use its Places API.",
        )
        query: str = pin(description="What is searched, and where.", placeholder="Bakery in Oslo")
        radius: int = pin(default=5000, ge=1, le=50000, description="How far around, in metres.")
        max_results: int = pin(default=20, ge=1, le=60, description="How many at the most.")

    @pins
    class Output:
        """Output pins."""

        place: dict[str, Any] = pin(
            description="A place.",
            schema={
                "properties": {
                    "name": {"title": "Name", "type": "string"},
                    "address": {"title": "Address", "type": "string"},
                    "phone": {"title": "Phone", "type": "string"},
                    "rating": {"title": "Rating", "type": "number"},
                    "reviews": {"title": "Reviews", "type": "integer"},
                    "website": {"title": "Website", "type": "string"},
                },
                "required": ["name", "address", "phone", "rating", "reviews", "website"],
                "type": "object",
            },
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the places, one after the other."""
        calls = MAPS.calls(context, inputs.credentials)

        async def page(mark: str | None) -> tuple[list[Any], str | None]:
            if mark is None:
                query: Query = {"query": inputs.query, "radius": inputs.radius}
                answer = await _asked(calls, "textsearch/json", query)
            else:
                answer = await until(
                    lambda: _next_page(calls, mark),
                    every_s=MARK_EVERY_S,
                    most_s=_MARK_MOST_S,
                    what="the next page of Google Maps",
                )
            return answer.get("results") or [], answer.get("next_page_token")

        for found in await pages(page, most=inputs.max_results):
            query = {"place_id": str(found.get("place_id")), "fields": _FIELDS}
            place = (await _asked(calls, "details/json", query)).get("result") or {}
            yield "place", _place(place, found)


async def _next_page(calls: ServiceCalls, mark: str) -> Mapping[str, Any] | None:
    """Return the page of *mark*, or None while the mark is not good yet."""
    answer = await calls.object("GET", "textsearch/json", query={"pagetoken": mark})
    return None if answer.get("status") == "INVALID_REQUEST" else _judged(calls, answer)


async def _asked(calls: ServiceCalls, path: str, query: Query) -> Mapping[str, Any]:
    return _judged(calls, await calls.object("GET", path, query=query))


def _judged(calls: ServiceCalls, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *answer* if it is one: Google Maps says in its body what went wrong."""
    status = answer.get("status")
    if not isinstance(status, str):
        raise calls.nonsense("it has no status")
    if status in ("OK", "ZERO_RESULTS"):
        return answer
    text = f"Google Maps answers {status}: {answer.get('error_message') or 'it does not say why'}"
    if status == "OVER_QUERY_LIMIT":
        raise ServiceLimited(text)
    raise WebFailed(text) if status == "UNKNOWN_ERROR" else BadRequest(text)


def _place(place: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    known = {**found, **place}
    return {
        "name": str(known.get("name") or ""),
        "address": str(known.get("formatted_address") or ""),
        "phone": str(known.get("formatted_phone_number") or ""),
        "rating": float(known.get("rating") or 0),
        "reviews": int(known.get("user_ratings_total") or 0),
        "website": str(known.get("website") or ""),
    }
