"""Finds the sections of a few hundred pages that fit a question best: counted words, nothing more (pure)."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[a-z0-9]+")
_HEADING: Final = re.compile(r"(#{1,4}) +(.+)")
_FENCE: Final = "```"
#: What the words of a heading, and of the title of its page, count for.
_IN_HEADING: Final = 4.0
_IN_TITLE: Final = 2.0
_MOST_WORDS: Final = 30
_STOP: Final = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from"),
        *("how", "i", "if", "in", "is", "it", "my", "of", "on", "or", "that", "the", "this"),
        *("to", "was", "what", "when", "where", "which", "who", "why", "will", "with", "you"),
        "your",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading of a page and what stands below it; *path* is that of the page."""

    path: str
    title: str
    heading: str
    text: str


class PageIndex:
    """All sections of some pages, ready to be searched."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._sections = [one for path, text in pages.items() for one in sections_of(path, text)]
        self._counts = [Counter(words_of(one.text)) for one in self._sections]
        self._heads = [
            (frozenset(words_of(one.heading)), frozenset(words_of(one.title)))
            for one in self._sections
        ]
        self._in: Counter[str] = Counter()
        for counts, (heading, title) in zip(self._counts, self._heads, strict=True):
            self._in.update(counts.keys() | heading | title)

    def search(self, query: str, *, most: int) -> Sequence[Section]:
        """Return sections that fit *query*, the best first, *most* at most; empty if none does."""
        wanted = list(dict.fromkeys(words_of(query)))[:_MOST_WORDS]
        scores = [(self._score(place, wanted), -place) for place in range(len(self._sections))]
        best = sorted((one for one in scores if one[0] > 0), reverse=True)[:most]
        return [self._sections[-place] for _, place in best]

    def _score(self, place: int, wanted: Sequence[str]) -> float:
        counts, (heading, title) = self._counts[place], self._heads[place]
        total = 0.0
        for word in wanted:
            weight = (
                math.log1p(counts[word])
                + _IN_HEADING * (word in heading)
                + _IN_TITLE * (word in title)
            )
            # What stands everywhere says little.
            total += weight * math.log((1 + len(self._sections)) / (1 + self._in[word]))
        # A long section has every word once.
        return total / math.sqrt(1 + counts.total() / 200)


def sections_of(path: str, text: str) -> Iterator[Section]:
    """Yield the sections of one page of Markdown; a line of code is no heading."""
    title, heading, lines, in_code = path, "", list[str](), False
    for line in text.splitlines():
        if line.lstrip().startswith(_FENCE):
            in_code = not in_code
        found = None if in_code else _HEADING.fullmatch(line)
        if found is None:
            lines.append(line)
            continue
        if lines and any(map(str.strip, lines)):
            yield Section(path=path, title=title, heading=heading or title, text=_joined(lines))
        lines = []
        if len(found[1]) == 1:
            title = heading = found[2]
        else:
            heading = found[2]
    if any(map(str.strip, lines)):
        yield Section(path=path, title=title, heading=heading or title, text=_joined(lines))


def words_of(text: str) -> Iterator[str]:
    """Yield the words of *text* that say something, in small letters and in the singular, roughly."""
    for word in _WORD.findall(text.lower()):
        if word not in _STOP:
            yield word[:-1] if len(word) > 3 and word.endswith("s") else word  # noqa: PLR2004


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip()
