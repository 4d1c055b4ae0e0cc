"""Tokens are estimated, rather too many than too few."""

import pytest

from backend.core.tokens import estimated_tokens, first_tokens, last_tokens

#: Texts, and how many tokens the usual tokenizers (o200k, cl100k, Llama 3) make of them at the most.
MEASURED = [
    ("", 0),
    ("Hello, world!", 4),
    ("The quick brown fox jumps over the lazy dog.", 10),
    ('{"name": "Ada", "age": 36}', 13),
    ("def f(x):\n    return x ** 2\n", 13),
    ("1234567890", 10),
    ("日本語のテキスト", 10),
    ("Übergrößenträger", 8),
    ("😀😀", 4),
]


@pytest.mark.parametrize(("text", "most"), MEASURED)
def test_no_text_has_more_tokens_than_estimated(text: str, most: int) -> None:
    assert most <= estimated_tokens(text) <= 3 * most


@pytest.mark.parametrize("text", ["word " * 100, "日本" * 50, "a1,b2;" * 40, "😀x" * 30, "abc"])
@pytest.mark.parametrize("tokens", [0, 1, 7, 40, 10_000])
def test_a_part_has_as_many_tokens_as_it_may_and_no_more(text: str, tokens: int) -> None:
    first, last = first_tokens(text, tokens), last_tokens(text, tokens)

    assert text.startswith(first)
    assert text.endswith(last)
    assert max(estimated_tokens(first), estimated_tokens(last)) <= tokens
    assert first == text or estimated_tokens(text[: len(first) + 1]) > tokens


def test_half_a_character_breaks_nothing() -> None:
    assert estimated_tokens("\ud83d!") > 0
