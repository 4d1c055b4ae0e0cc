"""Servers that speak MCP, over the guarded way out, or on this machine. Importing this is cheap."""

from backend.adapters.mcp.client import GuardedToolServers
from backend.adapters.mcp.local import LocalServers
from backend.adapters.mcp.visit import LocalLimits, LocalServer

__all__ = ["GuardedToolServers", "LocalLimits", "LocalServer", "LocalServers"]
