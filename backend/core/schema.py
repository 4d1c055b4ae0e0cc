"""What a pin takes: conversion of values to its type, and checks against its JSON schema.

Rules and table: spec/semantics.md 1.12. Two of its flaws are mended (compatibility.md): a value
that already is one of a union's types stays as it is, and inherited pins are converted like the
others.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import jsonschema_rs

from backend.core import json
from backend.core.errors import BadRequest, ConversionFailed
from backend.core.json import Json, JsonObject

Converter: TypeAlias = Callable[[Any], Any]

#: String formats whose values are no plain text to the block; they are left to it.
_PARSED_FORMATS: Final = frozenset({"date", "time", "date-time", "duration"})


def converter_for(schema: Mapping[str, Any]) -> Converter | None:  # noqa: C901 - one case a type
    """Return the conversion to the type that *schema* describes; None where anything goes."""
    if "anyOf" in schema:
        return _union_converter(schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return None
    match schema.get("type"):
        case "string":
            return None if schema.get("format") in _PARSED_FORMATS else to_string
        case "integer":
            return to_integer
        case "number":
            return to_number
        case "boolean":
            return to_boolean
        case "array":
            items = schema.get("items")
            each = converter_for(items) if isinstance(items, Mapping) else None
            return partial(_list_of, each) if each else to_list
        case "object":
            values = schema.get("additionalProperties")
            each = converter_for(values) if isinstance(values, Mapping) else None
            return partial(_dict_of, each) if each else to_dict
    return None


def _union_converter(options: list[Mapping[str, Any]]) -> Converter | None:
    nullable = any(option.get("type") == "null" for option in options)
    members = [option for option in options if option.get("type") != "null"]
    converters = [converter_for(member) for member in members]
    if not members or any(converter is None for converter in converters):
        return None
    fits = [_KINDS.get(str(member.get("type")), ()) for member in members]

    def convert(value: Any) -> Any:
        if value is None and nullable:
            return None
        for kinds, converter in zip(fits, converters, strict=True):
            if _is_one_of(value, kinds) and converter:
                return converter(value)
        for converter in converters:
            try:
                return converter(value) if converter else value
            except ConversionFailed:
                continue
        raise ConversionFailed(f"Failed to convert {_short(value)} to any of its pin's types")

    return convert


_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (float, int),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)


def to_string(value: Any) -> str:
    """Return *value*, or its JSON text if it is no text."""
    if isinstance(value, str):
        return value
    try:
        return _spaced(value)
    except json.NotJson as exc:
        raise ConversionFailed(f"Failed to convert {_short(value)} to string") from exc


def _spaced(value: Any) -> str:
    """Return JSON with a blank after each comma and colon, as people's prompts expect it."""
    if isinstance(value, list):
        return "[" + ", ".join(_spaced(item) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{_spaced(str(key))}: {_spaced(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, str):
        return json.text(value)
    return json.text(value)


def to_integer(value: Any) -> int:
    """Return *value* as a whole number: containers by length, what is no number as 0."""
    if isinstance(value, int):
        return value
    try:
        # Digits as such: an id of 18 digits would lose its last ones as a floating point number.
        number = int(value if _is_digits(value) else to_number(value))
    except (OverflowError, ValueError) as exc:
        raise ConversionFailed(f"Failed to convert {_short(value)} to integer") from exc
    if not -(2**63) <= number < 2**63:
        raise ConversionFailed(f"Failed to convert {_short(value)} to integer: over 64 bits")
    return number


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,30}\s*", value) is not None


def to_number(value: Any) -> float:
    """Return *value* as a number: containers by length, what is no number as 0."""
    if isinstance(value, float):
        return value
    if isinstance(value, list | dict):
        return float(len(value))
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
    except OverflowError as exc:
        raise ConversionFailed(f"Failed to convert {_short(value)} to number") from exc


def to_boolean(value: Any) -> bool:
    """Return *value* as a truth: of texts only "true" and "1" are true."""
    if isinstance(value, str):
        return value.lower() in ("true", "1")
    return bool(value)


def to_list(value: Any) -> list[Any]:
    """Return *value* as a list: JSON text of one is read, pairs of a dictionary, else [value]."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [[key, item] for key, item in value.items()]
    if isinstance(value, str):
        stripped = value.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            try:
                parsed = json.loads(stripped)
            except json.NotJson:
                return [value]
            return parsed if isinstance(parsed, list) else [value]
    return [value]


def to_dict(value: Any) -> dict[str, Any]:
    """Return *value* as a dictionary: JSON text is read, a list by index, else {"value": value}."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.NotJson:
            return {"value": value}
        return value if isinstance(value, dict) else {"value": value}
    return {"value": value}


def _list_of(each: Converter, value: Any) -> list[Any]:
    return [each(item) for item in to_list(value)]


def _dict_of(each: Converter, value: Any) -> dict[str, Any]:
    return {str(key): each(item) for key, item in to_dict(value).items()}


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."


_SHOWN: Final = 100


class PinSchema:
    """
    The pins of one side of a block, compiled from their JSON schema.

    Attributes:
        schema: The schema itself, ``{"type": "object", "properties": …, "required": […]}``.
        properties: Schemas by pin.
        required: Pins without a default.
        converters: Conversions by pin, where there is one.
    """

    __slots__ = ("_validator", "converters", "properties", "required", "schema")

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema
        properties: Any = schema.get("properties") or {}
        required: Any = schema.get("required") or ()
        self.properties: dict[str, Any] = dict(properties)
        self.required = frozenset(required)
        found = {name: converter_for(pin) for name, pin in self.properties.items()}
        self.converters: dict[str, Converter] = {
            name: convert for name, convert in found.items() if convert
        }
        self._validator: Any = None

    def convert(self, data: dict[str, Any]) -> None:
        """Convert the values in *data*, in place; None and unknown pins stay as they are."""
        for name, convert in self.converters.items():
            value = data.get(name)
            if value is not None:
                data[name] = convert(value)

    def mismatch(self, data: Mapping[str, Any], *, keep_none: bool = False) -> str | None:
        """Return what is wrong with *data*, in words; None when it fits. None values are dropped."""
        if not keep_none and None in data.values():
            data = {name: value for name, value in data.items() if value is not None}
        validator = self._compiled()
        try:
            if validator.is_valid(data):
                return None
            return "; ".join(explain(error) for error in validator.iter_errors(data))
        except (ValueError, TypeError, OverflowError) as exc:
            return f"a value has no JSON form: {exc}"

    def _compiled(self) -> Any:
        if self._validator is None:
            self._validator = _validator_of(_opened(self.schema))
        return self._validator


class ValueSchema:
    """
    A JSON schema that somebody else has written, compiled: it says whether values fit it.

    Raises:
        BadRequest: If it is none that can be used.
    """

    __slots__ = ("_validator",)

    def __init__(self, schema: JsonObject) -> None:
        self._validator = _validator_of(schema)

    def problems(self, value: Json) -> list[str]:
        """Return what is wrong with *value*, in words; nothing when it fits."""
        try:
            return [explain(error) for error in self._validator.iter_errors(value)]
        except (ValueError, TypeError, OverflowError) as exc:
            return [f"a value has no JSON form: {exc}"]


def _validator_of(schema: JsonObject) -> Any:
    try:
        return jsonschema_rs.Draft202012Validator(schema, retriever=_refuse_remote)
    except (ValueError, jsonschema_rs.ValidationError) as exc:
        raise BadRequest(f"this is not a usable JSON schema: {exc}") from exc


#: Marks a pin that names a language model.
_MODEL_MARK: Final = "llm_model"


def _opened(schema: JsonObject) -> JsonObject:
    """
    Return *schema* with pins that take the name of any language model.

    Their enumeration is what a builder offers. An installation has models of its own besides, and
    whether there is one of a name, it alone knows.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    opened = {
        name: {word: value for word, value in pin.items() if word != "enum"}
        for name, pin in properties.items()
        if isinstance(pin, dict) and pin.get(_MODEL_MARK) is True
    }
    return {**schema, "properties": {**properties, **opened}} if opened else schema


def _refuse_remote(uri: str) -> Any:
    """A graph file may carry a schema: it must not make the server fetch anything."""
    raise ValueError(f"remote schema {uri!r} is not allowed")


def explain(error: Any) -> str:
    """Return the words for one validation error, with the pin in front where it lies deeper."""
    where = ".".join(map(str, error.instance_path))
    match error.kind.name:
        case "type":
            types = " or ".join(f"'{name}'" for name in error.kind.types)
            words = f"{_short(error.instance)} is not of type {types}"
        case "enum":
            words = f"{_short(error.instance)} is not one of {error.kind.options}"
        case "required":
            words = f"{error.kind.property!r} is a required property"
        case _:
            words = error.message
    return f"{where}: {words}" if where else words
