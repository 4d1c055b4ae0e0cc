"""agpt-server: run agents, drawn as graphs of typed blocks, durably."""

__version__ = "0.1.0"
