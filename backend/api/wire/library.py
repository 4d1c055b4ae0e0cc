"""Library agents on the wire (spec/contract.md 13)."""

from typing import Any

from pydantic import BaseModel

from backend.api.wire import graphs as graph_wire
from backend.api.wire.graphs import GraphSettings
from backend.api.wire.text import Version
from backend.api.wire.times import iso
from backend.core import graph_schema
from backend.core.catalog import Catalog
from backend.core.library import LibraryAgent, LibraryChanges, standing
from backend.services.graphs import DEFAULT_SETTINGS

Values = dict[str, Any]

#: Whose an agent is when its account has no name, as clients know it.
_NAMELESS = "Unknown"
#: What a library agent has of its graph, under the same names.
_OF_GRAPH = (
    "name",
    "description",
    "instructions",
    "input_schema",
    "output_schema",
    "has_external_trigger",
    "has_human_in_the_loop",
    "has_sensitive_action",
    "trigger_setup_info",
    "recommended_schedule_cron",
)


class LibraryAgentUpdateRequest(BaseModel):
    """What is to be different about a library agent; what is null or missing stays."""

    auto_update_version: bool | None = None
    graph_version: Version | None = None
    is_favorite: bool | None = None
    is_archived: bool | None = None
    settings: GraphSettings | None = None

    def changes(self) -> LibraryChanges:
        """Return them as a service takes them."""
        return LibraryChanges(
            graph_version=self.graph_version,
            follows_active=self.auto_update_version,
            is_favorite=self.is_favorite,
            is_archived=self.is_archived,
            settings=None if self.settings is None else self.settings.changes(),
        )


def library_agent(agent: LibraryAgent, catalog: Catalog, *, now_us: int) -> Values:
    """Return an agent with what its newest runs say: ``LibraryAgent``."""
    facts = graph_wire.base(agent.graph, catalog)
    said = standing(agent.recent, now_us=now_us)
    return {
        "id": agent.id,
        "graph_id": agent.graph.id,
        "graph_version": agent.graph.version,
        "owner_user_id": agent.user_id,
        # There is no marketplace here, and so no pictures.
        "image_url": None,
        "creator_name": agent.owner_name or _NAMELESS,
        "creator_image_url": "",
        "status": said.status.value,
        "created_at": iso(agent.created_us),
        "updated_at": iso(agent.updated_us),
        **{name: facts[name] for name in _OF_GRAPH},
        "credentials_input_schema": graph_schema.credentials_input_schema(agent.graph, catalog),
        "new_output": said.new_output,
        "execution_count": len(agent.recent),
        "success_rate": said.success_rate,
        # Given by a model in the reference, when a feature is on that is off by default.
        "avg_correctness_score": None,
        "recent_executions": [
            {"status": run.status.value, "correctness_score": None, "activity_summary": None}
            for run in agent.recent
        ],
        "can_access_graph": True,
        "is_latest_version": agent.graph.version == agent.newest_version,
        "is_favorite": agent.is_favorite,
        "settings": {**DEFAULT_SETTINGS, **agent.settings},
        "marketplace_listing": None,
    }
