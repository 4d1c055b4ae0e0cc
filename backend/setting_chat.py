"""Settings of the copilot. Part of settings.py, apart for its size."""

from pydantic import BaseModel, Field


class ChatSettings(BaseModel):
    """Which model answers in sessions, and what one turn may take."""

    chat_model: str = Field(
        "",
        description=(
            "The model that answers in sessions of the copilot, with the operator's key; empty: the"
            " first of a few well-known ones whose provider has a key here."
        ),
    )
    chat_max_rounds: int = Field(
        25, ge=1, le=200, description="Questions to the model in one turn of a session."
    )
    chat_max_tokens: int = Field(
        500_000, ge=1_000, le=100_000_000, description="Tokens in one turn of a session."
    )
    chat_max_turn_s: float = Field(
        900, ge=10, le=86_400, description="Seconds that one turn of a session may take."
    )
    chat_max_streams: int = Field(
        500, ge=1, le=100_000, description="Turns that are watched at once, by all together."
    )
    chat_max_streams_per_user: int = Field(
        20, ge=1, le=10_000, description="Turns that one user watches at once."
    )
    chat_retention_days: int = Field(
        90,
        ge=0,
        description="Days after its last change on which a session is deleted; 0: never.",
    )
