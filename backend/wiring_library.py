"""Libraries, and what is around them, behind their ports. Part of wiring.py, apart only for its size."""

from typing import TYPE_CHECKING

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.library import SqlLibraries
from backend.ports.clock import Clock

if TYPE_CHECKING:
    from backend.services.graphs import GraphService
    from backend.services.library import LibraryService


def library_of(storage: SqlStorage, graphs: "GraphService", clock: Clock) -> "LibraryService":
    """Return the libraries of all users."""
    from backend.services.library import LibraryService

    return LibraryService(libraries=SqlLibraries(storage.database), graphs=graphs, clock=clock)
