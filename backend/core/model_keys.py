"""The operator's own keys: for which nodes they stand in, and how a graph names them (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.core.errors import NotFound
from backend.core.model_registry import ModelProvider, ModelRegistry

#: The ids by which graphs name the operator's credentials (spec/semantics.md 1.5).
SYSTEM_IDS: Final[Mapping[str, str]] = {
    "aiml_api": "aad82a89-9794-4ebb-977f-d736aa5260a3",
    "anthropic": "24e5d942-d9e3-4798-8151-90143ee55629",
    "groq": "4ec22295-8f97-4dd1-b42b-2c6957a02545",
    "llama_api": "d44045af-1c33-4833-9e19-752313214de2",
    "ollama": "744fdc56-071a-4761-b5a5-0af0ce10a2b5",
    "open_router": "b5a0e27d-0c98-4df3-a4b9-10193e1f3c40",
    "openai": "53c25cb8-e3ee-465c-a4d1-e75a4c899c2a",
    "v0": "c4e6d1a0-3b5f-4789-a8e2-9b123456789f",
}
_PREFIX: Final = "operator:"


def system_id(provider: str) -> str:
    """Return the id of the operator's credentials for *provider*."""
    return SYSTEM_IDS.get(provider, f"{_PREFIX}{provider}")


def is_system_id(credentials_id: str) -> bool:
    """Whether credentials of this id are the operator's."""
    return credentials_id in SYSTEM_IDS.values() or credentials_id.startswith(_PREFIX)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorKeys:
    """
    Which providers users may call without credentials of their own. Holds no secret.

    Attributes:
        provided: Providers for which the operator has a key, or that want none.
    """

    registry: ModelRegistry
    provided: frozenset[str]

    def reference(
        self, pin: Mapping[str, Any], pins: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """
        Return the operator's credentials that stand in on a credentials pin; None: none do.

        Args:
            pin: Its schema.
            pins: The schemas of all pins of the block.
            inputs: Of the node.
        """
        provider = self._provider(pin, pins, inputs)
        if provider is None or provider.name not in self.provided:
            return None
        names = _providers(pin)
        # A provider of the operator's own file is none that pins know: it goes by the name of the
        # one whose API it has. The id says who it is.
        shown = provider.name if provider.name in names else "openai"
        return {
            "id": system_id(provider.name),
            "provider": shown,
            "type": "api_key",
            "title": f"The server's own for {provider.title}",
        }

    def may_serve(self, pin: Mapping[str, Any]) -> bool:
        """Whether it may turn out, once the model is known, that the operator's key stands in."""
        return "discriminator" in pin and not self.provided.isdisjoint(_providers(pin))

    def covers(self, reference: Mapping[str, Any]) -> bool:
        """Whether *reference* names credentials of the operator that are there."""
        return reference.get("id") in {system_id(name) for name in self.provided}

    def advice(
        self, pin: Mapping[str, Any], pins: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> str:
        """Return what would help where `reference` has none; empty where nothing of ours would."""
        provider = self._provider(pin, pins, inputs)
        if provider is None:
            return self._unknown_model(pin, inputs)
        setting = f", or set {provider.key_setting} on the server" if provider.key_setting else ""
        return f"it asks {provider.title}; give the node credentials of {provider.name!r}{setting}"

    def _unknown_model(self, pin: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
        """Return that there is no such model; empty where the pin is about something else."""
        discriminator = pin.get("discriminator")
        if self.registry.providers.keys().isdisjoint(_providers(pin)) or not discriminator:
            return ""
        try:
            self.registry.find(str(inputs.get(discriminator)))
        except NotFound as exc:
            return str(exc)
        return ""

    def _provider(
        self, pin: Mapping[str, Any], pins: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> ModelProvider | None:
        """Return who a node asks: by its model, or as its pin takes credentials of one alone."""
        discriminator, names = pin.get("discriminator"), _providers(pin)
        if isinstance(discriminator, str):
            model = inputs.get(discriminator)
            if model is None:
                model = (pins.get(discriminator) or {}).get("default")
            try:
                return self.registry.providers.get(self.registry.find(str(model)).provider)
            except NotFound:
                return None
        return self.registry.providers.get(names[0]) if len(names) == 1 else None


def _providers(pin: Mapping[str, Any]) -> list[str]:
    names = pin.get("credentials_provider")
    return [str(name) for name in names] if isinstance(names, list) else []
