"""What a user's agents asked of models, in sums (pure)."""

from dataclasses import dataclass
from typing import Final

from backend.core.ids import GraphId
from backend.core.node_steps import ModelUse

#: The days that sums are asked for at once, and that they stay at least.
MAX_DAYS: Final = 366
#: Stands for all graphs in the sums of days that are long ago.
ALL_GRAPHS: Final = GraphId("")


@dataclass(frozen=True, kw_only=True, slots=True)
class DayUse:
    """
    The sum of one day (UTC, as ``2026-01-31``), graph and model.

    Attributes:
        graph_id: `ALL_GRAPHS` for a day that is so long ago that runs of it are gone.
    """

    day: str
    graph_id: GraphId
    model: str
    use: ModelUse
