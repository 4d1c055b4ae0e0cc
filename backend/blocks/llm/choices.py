"""The pins that blocks for language models share: which models a builder offers, for whom a key is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.sdk import CredentialsKind, credentials_pin, pin

DEFAULT_MODEL: Final = "gpt-5.2-2025-12-11"
DEFAULT_OLLAMA: Final = "localhost:11434"

#: By provider: its models, and what one run costs, in credits, with the key that an operator lends.
#: An installation may have more models than a builder offers here.
_OFFERED: Final = (
    ("openai", """
        o3-mini=2 o3-2025-04-16=4 o1=16 o1-mini=4 gpt-5.2-2025-12-11=6 gpt-5.1-2025-11-13=5
        gpt-5-2025-08-07=2 gpt-5-mini-2025-08-07=1 gpt-5-nano-2025-08-07=1 gpt-5-chat-latest=5
        gpt-4.1-2025-04-14=2 gpt-4.1-mini-2025-04-14=1 gpt-4o-mini=1 gpt-4o=3 gpt-4-turbo=10
        gpt-3.5-turbo=1
    """),
    ("anthropic", """
        claude-opus-4-1-20250805=21 claude-opus-4-20250514=21 claude-sonnet-4-20250514=5
        claude-opus-4-5-20251101=14 claude-sonnet-4-5-20250929=9 claude-haiku-4-5-20251001=4
        claude-3-haiku-20240307=1
    """),
    ("aiml_api", """
        Qwen/Qwen2.5-72B-Instruct-Turbo=1 nvidia/llama-3.1-nemotron-70b-instruct=1
        meta-llama/Llama-3.3-70B-Instruct-Turbo=1 meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo=1
        meta-llama/Llama-3.2-3B-Instruct-Turbo=1
    """),
    ("groq", """
        llama-3.3-70b-versatile=1 llama-3.1-8b-instant=1
    """),
    ("ollama", """
        llama3.3=0 llama3.2=0 llama3=0 llama3.1:405b=0 dolphin-mistral:latest=0
    """),
    ("open_router", """
        openai/gpt-oss-120b=1 openai/gpt-oss-20b=1 google/gemini-2.5-pro-preview-03-25=4
        google/gemini-3-pro-preview=5 google/gemini-2.5-flash=1 google/gemini-2.0-flash-001=1
        google/gemini-2.5-flash-lite-preview-06-17=1 google/gemini-2.0-flash-lite-001=1
        mistralai/mistral-nemo=1 cohere/command-r-08-2024=1 cohere/command-r-plus-08-2024=3
        deepseek/deepseek-chat=2 deepseek/deepseek-r1-0528=1 perplexity/sonar=1
        perplexity/sonar-pro=5 perplexity/sonar-deep-research=10
        nousresearch/hermes-3-llama-3.1-405b=1 nousresearch/hermes-3-llama-3.1-70b=1
        amazon/nova-lite-v1=1 amazon/nova-micro-v1=1 amazon/nova-pro-v1=1
        microsoft/wizardlm-2-8x22b=1 gryphe/mythomax-l2-13b=1 meta-llama/llama-4-scout=1
        meta-llama/llama-4-maverick=1 x-ai/grok-4=9 x-ai/grok-4-fast=1 x-ai/grok-4.1-fast=1
        x-ai/grok-code-fast-1=1 moonshotai/kimi-k2=1 qwen/qwen3-235b-a22b-thinking-2507=1
        qwen/qwen3-coder=9
    """),
    ("llama_api", """
        Llama-4-Scout-17B-16E-Instruct-FP8=1 Llama-4-Maverick-17B-128E-Instruct-FP8=1
        Llama-3.3-8B-Instruct=1 Llama-3.3-70B-Instruct=1
    """),
    ("v0", """
        v0-1.5-md=1 v0-1.5-lg=2 v0-1.0-md=1
    """),
)  # fmt: skip

_ROWS: Final = tuple(
    (provider, name, int(credits_))
    for provider, rows in _OFFERED
    for name, _, credits_ in (row.rpartition("=") for row in rows.split())
)

#: Provider by model, in the order in which they are offered.
PROVIDERS: Final[Mapping[str, str]] = {name: provider for provider, name, _ in _ROWS}

#: As the reference lists them.
_IN_ORDER: Final = (
    "aiml_api",
    "anthropic",
    "groq",
    "ollama",
    "openai",
    "open_router",
    "llama_api",
    "v0",
)

#: The ids by which credentials of the operator are known (spec/semantics.md 1.5).
_OPERATORS: Final[Mapping[str, str]] = {
    "aiml_api": "aad82a89-9794-4ebb-977f-d736aa5260a3",
    "anthropic": "24e5d942-d9e3-4798-8151-90143ee55629",
    "groq": "4ec22295-8f97-4dd1-b42b-2c6957a02545",
    "llama_api": "d44045af-1c33-4833-9e19-752313214de2",
    "open_router": "b5a0e27d-0c98-4df3-a4b9-10193e1f3c40",
    "openai": "53c25cb8-e3ee-465c-a4d1-e75a4c899c2a",
    "v0": "c4e6d1a0-3b5f-4789-a8e2-9b123456789f",
}


def cost_with(amount: int, *, model: str, provider: str) -> dict[str, Any]:
    """Return what a run costs with an operator's key; who brings a key of their own pays nothing."""
    credentials = {"id": _OPERATORS[provider]}
    # The reference does not ask more of this one.
    if provider != "groq":
        credentials |= {"provider": provider, "type": "api_key"}
    return {
        "cost_amount": amount,
        "cost_filter": {"model": model, "credentials": credentials},
        "cost_type": "run",
    }


COSTS: Final[Sequence[Mapping[str, Any]]] = tuple(
    cost_with(amount, model=name, provider=provider) for provider, name, amount in _ROWS if amount
)


def model_pin(*, advanced: bool = False) -> Any:
    """Describe the pin that names the model."""
    return pin(
        default=DEFAULT_MODEL,
        title="LLM Model",
        advanced=advanced,
        description="The model that answers. Names of the operator's own models are taken too.",
        schema={"enum": [*PROVIDERS], "llm_model": True, "type": "string"},
    )


def model_credentials() -> Any:
    """Describe the pin for the key to the model's provider."""
    return credentials_pin(
        [*_IN_ORDER],
        [CredentialsKind.KEY],
        discriminator="model",
        discriminator_mapping=PROVIDERS,
        description="The key to the model's provider.",
    )


def ollama_pin() -> Any:
    """Describe the pin for a server of one's own."""
    return pin(
        default=DEFAULT_OLLAMA,
        title="Ollama Host",
        description=(
            "Where a model of Ollama, or one that no provider here has, is asked: host and port, or"
            " the address of a server that speaks as OpenAI's does. Addresses inside the operator's"
            " network are open only if the operator says so."
        ),
    )


def most_tokens_pin() -> Any:
    """Describe the pin that bounds the answer."""
    return pin(
        default=None,
        description="The most tokens of an answer; the model's own limit holds besides.",
    )
