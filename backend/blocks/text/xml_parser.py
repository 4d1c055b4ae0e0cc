"""XMLParser: a small XML document as a dictionary."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers.expat import ExpatError, ParserCreate

from backend.sdk import (
    SMALL_INPUTS,
    Block,
    BlockContext,
    Effect,
    Example,
    Place,
    TooLarge,
    pin,
    pins,
)

MAX_CHARS: Final = 10 * 1024 * 1024
MAX_PARTS: Final = 100_000  #: elements and attributes
MAX_DEPTH: Final = 100

#: An ampersand that begins none of the five names or numbers of XML means itself; in CDATA each
#: does. So no entity is ever looked up, and the texts of models, where `&` is common, are read.
_AMPERSAND: Final = re.compile(
    r"<!\[CDATA\[(?:.*?\]\]>|.*)|&(?!(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);)",
    re.DOTALL,
)


class XMLParserBlock(Block):
    """
    Reads XML into dictionaries: a key for each element, its text or its elements as the value.

    Names become small letters. Elements of the same name side by side become a list of
    dictionaries with one key each. Attributes have an @ before their names; text beside elements
    lies under #text. Document types and entities of one's own are refused.
    """

    id = "286380af-9529-4b55-8be0-1d7c854abdb5"
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"input_xml": "<post><Title> Salt & pepper </Title><body/></post>"},
            outputs=[("parsed_xml", {"post": {"title": "Salt & pepper", "body": ""}})],
        ),
        Example(
            inputs={"input_xml": "<all><i>1</i><i>2</i><n>3</n></all>"},
            outputs=[("parsed_xml", {"all": [{"i": "1"}, {"i": "2"}, {"n": "3"}]})],
        ),
        Example(
            inputs={"input_xml": '<a href="x">see <b>here</b></a>'},
            outputs=[("parsed_xml", {"a": {"@href": "x", "b": "here", "#text": "see"}})],
        ),
        Example(inputs={"input_xml": "<a><b></a>"}, error="mismatched tag"),
        Example(
            inputs={"input_xml": '<!DOCTYPE a [<!ENTITY e "ha">]><a>&e;</a>'},
            error="document type",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        input_xml: str = pin(description="The XML, with one element around all.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        parsed_xml: dict[str, Any] = pin(description="What it says.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the document."""
        yield "parsed_xml", _parsed(inputs.input_xml.strip())


@dataclass(slots=True)
class _Element:
    parts: list[tuple[str, Any]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def value(self) -> Any:
        text = "".join(self.text).strip()
        if not self.parts:
            return text
        pairs = [*self.parts, ("#text", text)] if text else self.parts
        by_name = dict(pairs)
        return by_name if len(by_name) == len(pairs) else [{name: each} for name, each in pairs]


class _Builder:
    """Takes what the parser reports."""

    def __init__(self) -> None:
        self.open = [_Element()]  #: the innermost element last; the first one holds the document
        self._parts = 0

    def start(self, _name: str, attributes: Mapping[str, str]) -> None:
        """Open an element."""
        self._parts += 1 + len(attributes)
        if self._parts > MAX_PARTS:
            raise TooLarge(f"XML may not have more than {MAX_PARTS} elements and attributes")
        if len(self.open) > MAX_DEPTH:
            raise TooLarge(f"XML may not be nested more than {MAX_DEPTH} deep")
        self.open.append(_Element([(f"@{name.lower()}", v) for name, v in attributes.items()]))

    def end(self, name: str) -> None:
        """Close the innermost element."""
        value = self.open.pop().value()
        self.open[-1].parts.append((name.lower(), value))

    def characters(self, text: str) -> None:
        """Take text."""
        self.open[-1].text.append(text)


def _refuse_type(*_: object) -> None:
    raise ValueError("XML with a document type is refused: it may define entities")


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MAX_CHARS:
        raise TooLarge(f"XML may not be longer than {MAX_CHARS} characters")
    escaped = _AMPERSAND.sub(lambda m: "&amp;" if m[0] == "&" else m[0], text)
    builder = _Builder()
    parser = ParserCreate(encoding="utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(escaped.encode(errors="replace"), True)
    except ExpatError as exc:
        raise ValueError(f"Error in input xml syntax: {exc}") from exc
    return dict(builder.open[0].parts)
