"""What a key or an app may do on the external API (spec/contract.md 2.5)."""

from enum import StrEnum


class Permission(StrEnum):
    """A permission, which is a scope too."""

    IDENTITY = "IDENTITY"
    EXECUTE_GRAPH = "EXECUTE_GRAPH"
    READ_GRAPH = "READ_GRAPH"
    EXECUTE_BLOCK = "EXECUTE_BLOCK"
    READ_BLOCK = "READ_BLOCK"
    READ_STORE = "READ_STORE"
    USE_TOOLS = "USE_TOOLS"
    MANAGE_INTEGRATIONS = "MANAGE_INTEGRATIONS"
    READ_INTEGRATIONS = "READ_INTEGRATIONS"
    DELETE_INTEGRATIONS = "DELETE_INTEGRATIONS"


def as_permissions(names: "list[str]") -> tuple[Permission, ...]:
    """Return stored names as permissions, each once, in the order of the enum."""
    return tuple(one for one in Permission if one.value in names)
