"""Apollo: people and organizations that are searched for, and what is known of one person."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.blocks.apollo.shapes import CONTACT, ORGANIZATION, defaults_of, fitted
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Json,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service, ServiceCalls, pages
from backend.sdk.shapes import many

APOLLO: Final = Service(
    provider="apollo", name="Apollo", url="https://api.apollo.io/api/v1", header="X-Api-Key"
)

#: For examples.
MINE: Final = {"id": "mine", "provider": "apollo", "type": "api_key"}
_PAGE: Final = 100
_PEOPLE: Final = many(CONTACT)
_ORGANIZATIONS: Final = many(ORGANIZATION)
_SENIORITIES: Final = {
    "items": {
        "enum": [
            "owner",
            "founder",
            "c_suite",
            "partner",
            "vp",
            "head",
            "director",
            "manager",
            "senior",
            "entry",
            "intern",
        ],
        "title": "SenorityLevels",
        "type": "string",
    },
    "type": "array",
}
_STATUSES: Final = {
    "items": {
        "enum": ["verified", "unverified", "likely_to_engage", "unavailable"],
        "title": "ContactEmailStatuses",
        "type": "string",
    },
    "type": "array",
}
_CATS: Final = {
    **defaults_of(ORGANIZATION),
    "id": "o1",
    "name": "Cats",
    "founded_year": 1999,
    "linkedin_uid": "77",
}
_ANN: Final = {
    **defaults_of(CONTACT),
    "id": "a1",
    "name": "Ann Cat",
    "email": "email_not_unlocked@example.com",
    "email_status": "verified",
    "organization": {**defaults_of(ORGANIZATION), "id": "o1", "name": "Cats"},
}


def _range(numbers: list[int]) -> list[Json]:
    """Return a range of numbers as the service takes it. Raises ValueError."""
    if not numbers:
        return []
    if len(numbers) != 2 or numbers[0] > numbers[1]:  # noqa: PLR2004 - from and to
        raise ValueError("the range of employees has two numbers: the least and the most")
    return [f"{numbers[0]},{numbers[1]}"]


async def _found(
    calls: ServiceCalls, path: str, name: str, asked: Mapping[str, Json], *, most: int
) -> list[dict[str, Any]]:
    """Return what a search finds, page after page, *most* at the most."""
    given = {word: value for word, value in asked.items() if value not in ([], "")}

    async def page(number: int | None) -> tuple[list[Any], int | None]:
        value: Json = {**given, "page": number or 1, "per_page": min(most, _PAGE)}
        answer = await calls.object("POST", path, value=value)
        last = calls.need(answer, int, "pagination", "total_pages")
        following = (number or 1) + 1
        return calls.entries(answer, name), following if following <= last else None

    return await pages(page, most=most)


def _key_pin() -> Any:
    return credentials_pin(["apollo"], [CredentialsKind.KEY], description="A key of Apollo.")


#: Whoever brings a key of their own pays Apollo, and not us.
_LENT: Final = {
    "id": "544c62b5-1d0f-4156-8fb4-9525f11656eb",
    "provider": "apollo",
    "type": "api_key",
}


def _cost(amount: int, **inputs: bool) -> dict[str, Any]:
    """Return what a run of a block costs with these inputs and the operator's key."""
    which = {**inputs, "credentials": _LENT}
    return {"cost_amount": amount, "cost_filter": which, "cost_type": "run"}


class SearchOrganizationsBlock(Block):
    """Searches organizations, with Apollo."""

    id = "3d71270d-599e-4148-9b95-71b35d2f44f0"
    categories = (Category.SEARCH,)
    costs = (_cost(2),)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"q_organization_keyword_tags": ["cats"], "max_results": 1, "credentials": MINE},
            outputs=[("organizations", [_CATS]), ("organization", _CATS)],
        ),
        Example(
            inputs={"organization_num_employees_range": [7], "credentials": MINE},
            error="has two numbers",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        organization_num_employees_range: list[int] = pin(
            default_factory=lambda: [0, 1000000],
            schema={"default": [0, 1000000], "items": {"type": "integer"}, "type": "array"},
            description="How many work there: the least and the most.",
        )
        organization_locations: list[str] = pin(default_factory=list, description="Where they are.")
        organizations_not_locations: list[str] = pin(
            default_factory=list, description="Where they are not."
        )
        q_organization_keyword_tags: list[str] = pin(
            default_factory=list, description="Words that they go by."
        )
        q_organization_name: str = pin(
            default="", advanced=False, description="What their names contain."
        )
        organization_ids: list[str] = pin(default_factory=list, description="Their ids at Apollo.")
        max_results: int = pin(default=100, ge=1, le=50000, description="How many at the most.")
        credentials: dict[str, Any] = _key_pin()

    @pins
    class Output:
        """Output pins."""

        organizations: list[dict[str, Any]] = pin(
            default_factory=list, schema=_ORGANIZATIONS, description="All of them."
        )
        organization: dict[str, Any] = pin(schema=ORGANIZATION, description="One of them.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all, then each."""
        calls = APOLLO.calls(context, inputs.credentials)
        asked: dict[str, Json] = {
            "organization_num_employees_ranges": _range(inputs.organization_num_employees_range),
            "organization_locations": [*inputs.organization_locations],
            "organization_not_locations": [*inputs.organizations_not_locations],
            "q_organization_keyword_tags": [*inputs.q_organization_keyword_tags],
            "q_organization_name": inputs.q_organization_name,
            "organization_ids": [*inputs.organization_ids],
        }
        path = "mixed_companies/search"
        found = await _found(calls, path, "organizations", asked, most=inputs.max_results)
        organizations = [fitted(each, ORGANIZATION) for each in found]
        yield "organizations", organizations
        for each in organizations:
            yield "organization", each


class SearchPeopleBlock(Block):
    """Searches people by what they do and where, with Apollo."""

    id = "c2adb3aa-5aae-488d-8a6e-4eb8c23e2ed6"
    categories = (Category.SEARCH,)
    costs = (_cost(10, enrich_info=False), _cost(20, enrich_info=True))
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"person_titles": ["cat"], "max_results": 1, "credentials": MINE},
            outputs=[("people", [_ANN])],
        ),
        Example(
            inputs={
                "q_keywords": "cat",
                "max_results": 1,
                "enrich_info": True,
                "credentials": MINE,
            },
            outputs=[("people", [{**_ANN, "email": "ann@example.com"}])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        person_titles: list[str] = pin(
            default_factory=list, advanced=False, description="What they are."
        )
        person_locations: list[str] = pin(
            default_factory=list, advanced=False, description="Where they live."
        )
        person_seniorities: list[str] = pin(
            default_factory=list,
            advanced=False,
            schema=_SENIORITIES,
            description="How far up they are.",
        )
        organization_locations: list[str] = pin(
            default_factory=list, advanced=False, description="Where they work."
        )
        q_organization_domains: list[str] = pin(
            default_factory=list, advanced=False, description="The domains of where they work."
        )
        contact_email_statuses: list[str] = pin(
            default_factory=list,
            advanced=False,
            schema=_STATUSES,
            description="What is known of their addresses.",
        )
        organization_ids: list[str] = pin(
            default_factory=list,
            advanced=False,
            description="The ids at Apollo of where they work.",
        )
        organization_num_employees_range: list[int] = pin(
            default_factory=list,
            advanced=False,
            description="How many work there: the least and the most.",
        )
        q_keywords: str = pin(default="", advanced=False, description="Words that fit them.")
        max_results: int = pin(default=25, ge=1, le=500, description="How many at the most.")
        enrich_info: bool = pin(
            default=False, description="Ask for each person what else is known."
        )
        credentials: dict[str, Any] = _key_pin()

    @pins
    class Output:
        """Output pins."""

        people: list[dict[str, Any]] = pin(
            default_factory=list, schema=_PEOPLE, description="The people."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield them."""
        calls = APOLLO.calls(context, inputs.credentials)
        asked: dict[str, Json] = {
            "person_titles": [*inputs.person_titles],
            "person_locations": [*inputs.person_locations],
            "person_seniorities": [*inputs.person_seniorities],
            "organization_locations": [*inputs.organization_locations],
            "q_organization_domains_list": [*inputs.q_organization_domains],
            "contact_email_status": [*inputs.contact_email_statuses],
            "organization_ids": [*inputs.organization_ids],
            "organization_num_employees_ranges": _range(inputs.organization_num_employees_range),
            "q_keywords": inputs.q_keywords,
        }
        people = await _found(
            calls, "mixed_people/search", "people", asked, most=inputs.max_results
        )
        if inputs.enrich_info:
            people = [
                {**each, **await _known(calls, {"id": calls.need(each, str, "id")})}
                for each in people
            ]
        yield "people", [fitted(each, CONTACT) for each in people]


async def _known(calls: ServiceCalls, asked: Mapping[str, Json]) -> dict[str, Any]:
    """Return what is known of a person; nothing if nobody is."""
    answer = await calls.object("POST", "people/match", value=dict(asked))
    if "person" not in answer:
        raise calls.nonsense("it has no person")
    person = answer["person"] or {}
    return calls.need(person, dict)


class GetPersonDetailBlock(Block):
    """Tells what is known of a person, with Apollo."""

    id = "3b18d46c-3db6-42ae-a228-0ba441bdd176"
    categories = (Category.SEARCH,)
    costs = (_cost(1),)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"email": "ann@example.com", "credentials": MINE},
            outputs=[("contact", {**_ANN, "email": "ann@example.com"})],
        ),
        Example(inputs={"name": "Nobody", "credentials": MINE}, error="nobody is known"),
        Example(inputs={"credentials": MINE}, error="say who it is"),
    )

    @pins
    class Input:
        """Input pins."""

        person_id: str = pin(default="", advanced=False, description="The id at Apollo.")
        first_name: str = pin(default="", advanced=False, description="The first name.")
        last_name: str = pin(default="", advanced=False, description="The last name.")
        name: str = pin(default="", advanced=False, description="The whole name.")
        email: str = pin(default="", advanced=False, description="The address.")
        domain: str = pin(
            default="", advanced=False, description="The domain of where the person works."
        )
        company: str = pin(default="", advanced=False, description="What it is called.")
        linkedin_url: str = pin(
            default="", advanced=False, description="The person's page at LinkedIn."
        )
        organization_id: str = pin(
            default="", description="The id at Apollo of where the person works."
        )
        title: str = pin(default="", description="What the person is there.")
        credentials: dict[str, Any] = _key_pin()

    @pins
    class Output:
        """Output pins."""

        contact: dict[str, Any] = pin(schema=CONTACT, description="What is known.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield it."""
        asked: dict[str, Json] = {
            "id": inputs.person_id,
            "first_name": inputs.first_name,
            "last_name": inputs.last_name,
            "name": inputs.name,
            "email": inputs.email,
            "domain": inputs.domain,
            "organization_name": inputs.company,
            "linkedin_url": inputs.linkedin_url,
            "organization_id": inputs.organization_id,
            "title": inputs.title,
        }
        asked = {name: value for name, value in asked.items() if value}
        if not asked:
            raise ValueError("say who it is: by a name, an address or an id")
        found = await _known(APOLLO.calls(context, inputs.credentials), asked)
        if not found:
            raise ValueError("nobody is known who fits that")
        yield "contact", fitted(found, CONTACT)
