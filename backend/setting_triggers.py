"""Settings of what starts agents from outside. Part of settings.py, apart for its size."""

from pydantic import BaseModel, Field


class TriggerSettings(BaseModel):
    """How much may be delivered."""

    max_webhook_body_kb: int = Field(
        1024, ge=1, le=10_240, description="Kilobytes of what is sent to a webhook at once."
    )
    webhook_deliveries_per_minute: int = Field(
        600, ge=0, le=1_000_000, description="Deliveries to one webhook; 0: any."
    )
    webhook_deliveries_per_minute_and_address: int = Field(
        1_200, ge=0, le=1_000_000, description="Deliveries from one address; 0: any."
    )
    webhook_replay_days: int = Field(
        30, ge=1, le=3_650, description="A delivery is known again for so many days."
    )
    webhook_delivery_days: int = Field(
        30, ge=1, le=3_650, description="What was delivered is kept for so many days."
    )
    webhook_deliveries_kept: int = Field(
        1_000, ge=10, le=100_000, description="Deliveries of one webhook that are kept; the newest."
    )
