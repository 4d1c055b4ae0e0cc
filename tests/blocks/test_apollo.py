"""Apollo: searches page after page, and values that are not of the kind they should be."""

from typing import Any

from backend.blocks.apollo.search import SearchOrganizationsBlock, SearchPeopleBlock
from backend.blocks.apollo.shapes import CONTACT, ORGANIZATION, defaults_of, fitted
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn

MINE = {"id": "mine", "provider": "apollo", "type": "api_key"}


async def test_a_search_is_read_page_after_page(services: StandIn, played: BlockContext) -> None:
    asked = {"q_organization_name": "a", "max_results": 50, "credentials": MINE}

    outputs = await outputs_of(SearchOrganizationsBlock(), asked, played)

    assert [each["id"] for name, each in outputs if name == "organization"] == ["o1", "o2"]
    sent = [each.json() for each in services.asked]
    assert [each["page"] for each in sent] == [1, 2]
    assert sent[0] == {
        "organization_num_employees_ranges": ["0,1000000"],
        "q_organization_name": "a",
        "page": 1,
        "per_page": 50,
    }


async def test_no_more_pages_are_read_than_are_needed(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"person_seniorities": ["vp"], "max_results": 1, "credentials": MINE}

    await outputs_of(SearchPeopleBlock(), asked, played)

    assert [each.json() for each in services.asked] == [
        {"person_seniorities": ["vp"], "page": 1, "per_page": 1}
    ]


def test_what_does_not_fit_is_made_to_or_is_null() -> None:
    found: dict[str, Any] = {
        "id": 7,
        "founded_year": "old",
        "languages": ["English", 3],
        "primary_phone": {"number": 1, "else": 2},
        "unknown": {"a": 1},
        "alexa_ranking": 3.0,
    }

    assert fitted(found, ORGANIZATION) == {
        **defaults_of(ORGANIZATION),
        "id": "7",
        "founded_year": None,
        "languages": ["English", "3"],
        "primary_phone": {"number": "1", "source": "", "sanitized_number": "", "else": 2},
        "unknown": {"a": 1},
        "alexa_ranking": 3,
    }
    assert fitted({"free_domain": 1, "account": []}, CONTACT) == {
        **defaults_of(CONTACT),
        "free_domain": None,
        "account": None,
    }
