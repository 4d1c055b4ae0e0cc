"""Agents of other people, as far as their blocks are built and their services played, run to their end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.real_agents import all_of

pytestmark = pytest.mark.slow

#: Files of other people: they lie beside the project, never in it.
PLACE: Final = Path(__file__).parents[2].parent / "shared" / "agents"

#: Files that nothing could run, here or elsewhere, and what is said about each.
UNUSABLE: Final[Mapping[str, str]] = {
    # Invented ids of blocks, and a link to an input that the agent it leads to does not have.
    "fork/job-hunt-automation.json": "is invalid block id",
    "fixture/test_smart_decision_maker-test_graph_validation_with_tool_no.json": "invalid",
    # Half-finished graphs of somebody's tests: what has to be given is neither given nor linked.
    "fixture/graph_test-test_credentials_input_schema_excludes_auto_creds.json": "required",
    "fixture/graph_test-test_graph_creation.json": "required",
    "fixture/graph_test-test_reassign_ids_handles_multiple_credential_fie.json": "required",
    "fixture/graph_test-test_reassign_ids_preserves_non_credential_fields.json": "required",
    # Nobody says which file, or whose it is: the tests of others look at what is said to that.
    "fixture/graph_test-_sheets_graph.json": "required",
    "fixture/graph_test-test_auto_credentials_empty_credentials_id_reject.json": (
        "Authentication missing"
    ),
    "fixture/graph_test-test_auto_credentials_partial_object_missing_cred.json": (
        "Authentication missing"
    ),
    "fixture/graph_test-test_auto_credentials_unset_does_not_emit_double_.json": (
        "no file is chosen"
    ),
}
#: So many ran when this was written; fewer means that something has been lost.
LEAST: Final = 73


# The SDK of a provider says of models that real agents name how long they will live.
@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
async def test_every_real_agent_whose_blocks_are_built_runs_to_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = sorted(PLACE.glob("*/*.json"))
    if not files:
        pytest.skip("the agents of other people are not here")

    found = await all_of(files)

    good = [one.file for one in found if not one.problem]
    lacking = [one for one in found if one.lacks]
    bad = {one.file: one.problem for one in found if one.problem and not one.lacks}
    with capsys.disabled():
        print(f"\n{len(good)} of {len(found)} real agents run to their end")  # noqa: T201 - for people
        for one in lacking:
            print(f"  {one.file}: {one.problem}")  # noqa: T201 - for people
    assert {file: why for file, why in bad.items() if UNUSABLE.get(file, "?") not in why} == {}
    assert len(good) >= LEAST
