"""Which models there are and where they are asked: read from JSON, ours and an operator's (pure)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from backend.core import json
from backend.core.errors import BadSetting, NotFound
from backend.core.models import ModelSpec
from backend.core.repair_facts import SUCCESSORS

_MAX_MODELS: Final = 10_000
_MAX_TOKENS: Final = 100_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
_PROVIDER_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SETTING_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_ADDRESS: Final = re.compile(r"https?://[^\s?#@]+")


class ModelApi(StrEnum):
    """How a provider is spoken to."""

    OPENAI = "openai"  #: chat completions, which many others take, too
    ANTHROPIC = "anthropic"  #: messages


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelProvider:
    """
    Who offers models.

    Attributes:
        base_url: As its SDK takes it: with the version for OpenAI's, without for Anthropic's.
        key_setting: Where an operator's own key is: a setting of ours, or for a provider of the
            operator's file any variable of the environment.
    """

    name: str
    title: str
    base_url: str
    api: ModelApi = ModelApi.OPENAI
    needs_key: bool = True
    key_setting: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRegistry:
    """
    All models and all providers, by name.

    Attributes:
        placed: Providers whose address an operator has chosen, so that it may be private.
    """

    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    providers: Mapping[str, ModelProvider] = field(default_factory=dict)
    placed: frozenset[str] = frozenset()

    def find(self, name: str) -> ModelSpec:
        """
        Return what is known of a model, or of the one that stands in for it today.

        Raises:
            NotFound: If there is no such model.
        """
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            spec = self.models.get(name)
            if spec is not None and not spec.successor:
                return spec
            name = spec.successor if spec is not None else name
        raise NotFound(
            f"There is no model {name[:200]!r} here. `agpt models` lists those there are; the file "
            "named by MODELS_FILE adds others."
        )

    def with_addresses(self, base_urls: Mapping[str, str]) -> "ModelRegistry":
        """Return this registry with other addresses of providers, by name; unknown ones are ignored."""
        moved = {
            name: replace(self.providers[name], base_url=url.rstrip("/"))
            for name, url in base_urls.items()
            if name in self.providers
        }
        return replace(
            self, providers={**self.providers, **moved}, placed=self.placed | moved.keys()
        )


def read_registry(
    text: str | bytes, *, where: str, below: ModelRegistry | None = None
) -> ModelRegistry:
    """
    Return the registry in *text*, JSON, on top of another one.

    What has the same name is replaced as a whole.

    Args:
        where: Named in messages: the setting, the file.
        below: Nothing is lost of it.

    Raises:
        BadSetting: If something in it cannot be understood; says which entry and why.
    """
    below = below or ModelRegistry()
    data = _object(text, where)
    unknown = sorted(set(data) - {"providers", "models"})
    if unknown:
        raise BadSetting(f"{where}: {unknown[0]!r} is unknown; there are 'providers' and 'models'")
    providers, placed = dict(below.providers), below.placed
    for place, entry in _entries(data, "providers", where):
        provider = _provider(entry, place)
        providers[provider.name] = provider
        placed |= {provider.name}
    models = dict(below.models)
    for place, entry in _entries(data, "models", where):
        spec = _model(entry, place)
        if spec.provider not in providers:
            raise BadSetting(
                f"{place}: there is no provider {spec.provider!r}; add it under 'providers', or use "
                f"one of {', '.join(sorted(providers))}"
            )
        models[spec.name] = spec
    _check_successors(models, where)
    return ModelRegistry(models=models, providers=providers, placed=placed)


def known_registry(text: str | bytes) -> ModelRegistry:
    """Return the registry in our own file, whose addresses nobody has chosen, and what is retired."""
    found = read_registry(text, where="models.json")
    retired = {
        name: ModelSpec(
            name=name, provider=found.models[successor].provider, title=name, successor=successor
        )
        for name, successor in SUCCESSORS.items()
    }
    return replace(found, models={**retired, **found.models}, placed=frozenset())


def _object(text: str | bytes, where: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except json.NotJson as exc:
        raise BadSetting(f"{where}: this is not JSON: {exc}") from exc
    if not isinstance(data, dict):
        raise BadSetting(f"{where}: an object with 'providers' and 'models' is needed")
    return data


def _entries(
    data: Mapping[str, Any], section: str, where: str
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    entries = data.get(section, [])
    if not isinstance(entries, list) or len(entries) > _MAX_MODELS:
        raise BadSetting(f"{where}: '{section}' is a list of at most {_MAX_MODELS} objects")
    for number, entry in enumerate(entries, 1):
        place = f"{where}: {section}, entry {number}"
        if not isinstance(entry, dict):
            raise BadSetting(f"{place}: an object is needed")
        if isinstance(entry.get("name"), str):
            place = f"{place} ({entry['name'][:200]!r})"
        yield place, entry


def _provider(entry: Mapping[str, Any], place: str) -> ModelProvider:
    _check_fields(ModelProvider, entry, place, needed=("name", "base_url"))
    _check_text(entry, "name", _PROVIDER_NAME, place, "small letters, digits and _")
    _check_text(entry, "base_url", _ADDRESS, place, "an address like http://localhost:8000/v1")
    _check_text(entry, "key_setting", _SETTING_NAME, place, "a name like MY_SERVER_API_KEY")
    if entry.get("api", ModelApi.OPENAI) not in list(ModelApi):
        raise BadSetting(f"{place}: 'api' is one of {', '.join(ModelApi)}")
    name = entry["name"]
    return ModelProvider(
        name=name,
        title=entry.get("title", name),
        base_url=entry["base_url"].rstrip("/"),
        api=ModelApi(entry.get("api", ModelApi.OPENAI)),
        needs_key=entry.get("needs_key", True),
        key_setting=entry.get("key_setting", f"{name.upper()}_API_KEY"),
    )


def _model(entry: Mapping[str, Any], place: str) -> ModelSpec:
    _check_fields(ModelSpec, entry, place, needed=("name", "provider"))
    _check_text(entry, "name", _NAME, place, "letters, digits and . _ : / @ + -")
    for name in ("context", "max_output"):
        value = entry.get(name, 1)
        if not isinstance(value, int) or not 1 <= value <= _MAX_TOKENS:
            raise BadSetting(f"{place}: '{name}' is a number of tokens, at least 1")
    for name in ("input_price", "output_price", "cached_price"):
        if not 0 <= entry.get(name, 0) <= _MAX_TOKENS:
            raise BadSetting(f"{place}: '{name}' is US dollars for a million tokens, 0 or more")
    return ModelSpec(**{"title": entry["name"], **entry})


#: By the type of a field as it is written: what JSON must have there.
_KINDS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "str": ((str,), "a text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "ModelApi": ((str,), "a text"),
}


def _check_fields(
    kind: type[ModelSpec] | type[ModelProvider],
    entry: Mapping[str, Any],
    place: str,
    *,
    needed: tuple[str, ...],
) -> None:
    known = {each.name: _kind_of(each.type) for each in fields(kind)}
    for name, value in entry.items():
        if name not in known:
            raise BadSetting(f"{place}: {name!r} is unknown; there are {', '.join(known)}")
        types, word = _KINDS[known[name]]
        # To Python a truth value is a number, too.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise BadSetting(f"{place}: {name!r} is {word}")
    for name in needed:
        if not entry.get(name):
            raise BadSetting(f"{place}: {name!r} is missing")


def _kind_of(annotation: Any) -> str:
    """Return the name of a field's type, without the None that stands for a missing one."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return text.removesuffix(" | None")


def _check_text(
    entry: Mapping[str, Any], name: str, pattern: re.Pattern[str], place: str, wanted: str
) -> None:
    if name in entry and not pattern.fullmatch(entry[name]):
        raise BadSetting(f"{place}: {name!r} must be {wanted}")


def _check_successors(models: Mapping[str, ModelSpec], where: str) -> None:
    for spec in models.values():
        seen = {spec.name}
        following = spec.successor
        while following:
            if following not in models or following in seen:
                raise BadSetting(
                    f"{where}: the successor {following!r} of {spec.name!r} is no other model here"
                )
            seen.add(following)
            following = models[following].successor
