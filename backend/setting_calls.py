"""Settings of calls of language models, and of their budgets. Part of settings.py, apart for its size."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from backend.setting_chat import ChatSettings
from backend.setting_sources import text_to_object


class CallSettings(ChatSettings):
    """How often a model is asked, how long is waited for it, and what it may cost."""

    max_model_tries: int = Field(
        5,
        ge=1,
        le=20,
        description="Calls for one question to a language model, the first included.",
    )
    max_model_wait_s: float = Field(
        60,
        ge=0,
        le=3600,
        description="Seconds between two of them; a provider that asks for more is not asked again.",
    )
    run_budget_usd: float = Field(
        0,
        ge=0,
        le=1_000_000,
        description="US dollars that the language models of one run may cost; 0: no limit.",
    )
    user_daily_budget_usd: float = Field(
        0,
        ge=0,
        le=1_000_000,
        description="US dollars that those of one user may cost a day (UTC); 0: no limit.",
    )
    preload_models: bool = Field(
        True,
        description=(
            "Load what calls of language models need while nothing runs, if the server has keys of"
            " its own: the first call does not wait for it. It takes 40 to 80 MB of memory, which"
            " the first call would take else."
        ),
    )
    call_prices: Annotated[
        dict[str, Annotated[float, Field(ge=0, le=1_000_000)]], BeforeValidator(text_to_object)
    ] = Field(
        default_factory=dict,
        description=(
            "JSON object: a block's name or id to the US dollars that one execution of it may take"
            " of budgets; before our list of blocks that call paid services."
        ),
    )
