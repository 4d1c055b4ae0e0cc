"""Settings of triggers that the server watches itself. Part of settings.py, apart for its size."""

from pydantic import BaseModel, Field


class WatchingSettings(BaseModel):
    """What is watched, and how often."""

    min_poll_interval_s: float = Field(
        60.0, ge=1, le=86_400, description="Feeds, pages and mailboxes are not asked more often."
    )
    max_watches_per_user: int = Field(
        100, ge=0, le=100_000, description="Triggers of one user that the server watches itself."
    )
    watches_at_once: int = Field(
        8, ge=1, le=1000, description="Watched triggers that are looked at at the same time."
    )
    watch_max_failures: int = Field(
        30,
        ge=1,
        le=10_000,
        description="A watched trigger that fails so often in a row is switched off.",
    )
    max_mail_size_mb: int = Field(
        25, ge=1, le=1024, description="Megabytes of a mail that starts an agent; more is left out."
    )
    max_mail_listeners: int = Field(
        200, ge=0, le=100_000, description="Mailboxes that may tell of new mail (IDLE) at once."
    )
    file_drop: bool = Field(True, description="False: no folders are watched.")
    file_drop_dir: str = Field(
        "", description="Where the drop folders lie; empty: `drop` in the data directory."
    )
