"""Settings of agents that call tools, and of the servers of tools. Part of settings.py, apart for its size."""

from pydantic import BaseModel, Field


class ToolSettings(BaseModel):
    """How far models go on their own, which tool servers run here, and how much these may take."""

    max_decision_rounds: int = Field(
        200,
        ge=1,
        le=10_000,
        description="Rounds of one SmartDecisionMaker, whatever its node says.",
    )
    max_decision_calls: int = Field(
        1000, ge=1, le=100_000, description="Calls of tools of one SmartDecisionMaker."
    )
    max_decision_tokens: int = Field(
        5_000_000, ge=1000, le=1_000_000_000, description="Tokens that one uses in all its rounds."
    )
    max_decision_time_s: float = Field(
        86_400, ge=0, le=2_678_400, description="Seconds of one, from its start; 0: no limit."
    )
    mcp_servers_file: str = Field(
        "", description="A JSON file with the tool servers (MCP) of this machine; empty: none."
    )
    mcp_server_count: int = Field(
        8, ge=1, le=256, description="Tool servers of this machine that live at once; others wait."
    )
    mcp_server_time_limit_s: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Seconds of one visit of a tool server, its start in it.",
    )
    mcp_server_memory_mb: int = Field(
        1024, ge=64, le=1_048_576, description="Megabytes of one with all that it has started."
    )
    mcp_server_output_kb: int = Field(
        8192, ge=64, le=1_048_576, description="Kilobytes that one says in one visit."
    )
