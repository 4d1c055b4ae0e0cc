"""How a block declares its pins: `@pins` on a class, `pin()` for what the type cannot say."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from typing import Any, Final, TypeVar, dataclass_transform, get_type_hints

from backend.core.credentials import CredentialsKind

T = TypeVar("T")

#: Where the extras of a pin lie in the metadata of its dataclass field.
EXTRAS: Final = "pin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Extras:
    """What `pin` was told besides the default; None means that nothing was said."""

    title: str | None = None
    description: str | None = None
    advanced: bool | None = None
    secret: bool = False
    hidden: bool | None = None
    placeholder: str | None = None
    depends_on: tuple[str, ...] | None = None
    format: str | None = None
    limits: Mapping[str, Any] | None = None  #: JSON schema words such as ``minimum``
    schema: Mapping[str, Any] | None = None  #: stands in place of what the type says


def pin(  # noqa: PLR0913 - each word is one word of the pin's schema
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    title: str | None = None,
    description: str | None = None,
    advanced: bool | None = None,
    secret: bool = False,
    hidden: bool | None = None,
    placeholder: str | None = None,
    depends_on: list[str] | None = None,
    format: str | None = None,  # noqa: A002 - the word of JSON schema
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    schema: Mapping[str, Any] | None = None,
) -> Any:
    """
    Describe a pin; each argument is a word of its JSON schema.

    A pin without *default* and *default_factory* is required. *advanced* pins are folded away in
    the builder: optional ones are, unless told otherwise, required ones never. *schema* stands in
    place of what the type of the field says, where the type cannot say it. An empty *title* leaves
    it out.
    """
    limits = {
        "minimum": ge,
        "maximum": le,
        "minLength": min_length,
        "maxLength": max_length,
    }
    extras = Extras(
        title=title,
        description=description,
        advanced=advanced,
        secret=secret,
        hidden=hidden,
        placeholder=placeholder,
        depends_on=tuple(depends_on) if depends_on else None,
        format=format,
        limits={word: value for word, value in limits.items() if value is not None} or None,
        schema=schema,
    )
    if default_factory is not None:
        return field(default_factory=default_factory, metadata={EXTRAS: extras})
    return field(default=default, metadata={EXTRAS: extras})


#: What the schema of a pin says where a package of blocks has brought the provider.
_OF_PACKAGES: Final = (CredentialsKind.KEY, CredentialsKind.OAUTH2, CredentialsKind.LOGIN)


def credentials_pin(
    providers: list[str],
    kinds: list[CredentialsKind],
    *,
    scopes: list[str] | None = None,
    discriminator: str | None = None,
    discriminator_mapping: Mapping[str, str] | None = None,
    of_package: bool = False,
    description: str | None = None,
) -> Any:
    """
    Describe a pin that takes credentials: a reference to them (spec/semantics.md 1.5).

    The block gets the credentials themselves by `BlockContext.credentials`. *discriminator* names
    the pin whose value says for what they are; *discriminator_mapping* says for which provider, by
    the value of that pin. *of_package*: the provider came with a package of blocks, and the schema
    of such pins names neither it nor its kinds (they stand beside it).
    """
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "id": {"title": "Id", "type": "string"},
            "title": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
                "title": "Title",
            },
            "provider": {
                "title": "Provider",
                "type": "string",
                **({} if of_package else _one_of(providers)),
            },
            "type": {
                "title": "Type",
                "type": "string",
                **_one_of([*map(str, _OF_PACKAGES if of_package else kinds)]),
            },
        },
        "required": ["id", "provider", "type"],
        "title": "CredentialsMetaInput",
        "credentials_provider": sorted(providers),
        "credentials_types": [*map(str, kinds)],
    }
    if scopes:
        schema["credentials_scopes"] = scopes
    if discriminator:
        schema["discriminator"] = discriminator
    if discriminator_mapping:
        schema["discriminator_mapping"] = dict(discriminator_mapping)
    return pin(schema=schema, description=description)


def _one_of(names: list[str]) -> dict[str, Any]:
    return {"const": names[0]} if len(names) == 1 else {"enum": names}


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(pin, credentials_pin)
)
def pins(declared: type[T]) -> type[T]:
    """Make *declared* the frozen record of one side of a block's pins."""
    made: Any = dataclass(frozen=True, kw_only=True, slots=True)(declared)
    setattr(made, PIN_SLOTS, tuple(_slot(made, field) for field in fields(made)))
    setattr(made, PIN_ENUMS, _enums(made))
    result: type[T] = made
    return result


#: Class attributes that `pins` leaves for `make_inputs`.
PIN_SLOTS: Final = "__pin_slots__"
PIN_ENUMS: Final = "__pin_enums__"


def _slot(declared: type[Any], field: "Field[Any]") -> tuple[Any, ...]:
    """Return the name of a pin, what sets it, its default (MISSING when required), its factory."""
    factory = None if field.default_factory is MISSING else field.default_factory
    return field.name, getattr(declared, field.name).__set__, field.default, factory


def _enums(declared: type[Any]) -> tuple[tuple[Any, ...], ...]:
    """Return name, setter and members by value of each pin whose type is an enumeration."""
    hints = get_type_hints(declared)
    return tuple(
        (name, getattr(declared, name).__set__, {member.value: member for member in hint})
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, Enum)
    )
