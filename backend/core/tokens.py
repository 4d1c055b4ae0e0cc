"""How many tokens a text has, at most, as far as anybody can say without the model's own tokenizer.

Tokenizers are large, differ between models, and have to be fetched. This estimate errs on the long
side: what it says fits, fits.
"""

import string
from typing import Final

#: Characters that are mostly tokens of their own: digits, and what stands between words.
_ALONE: Final = string.punctuation + string.digits
#: Letters and blanks of ASCII to a token. English has four and more, code and rare words have three.
_LETTERS_PER_TOKEN: Final = 3
#: Bytes of UTF-8 to a token, of all that is not ASCII: a letter with an accent has two, a sign of
#: Chinese three, an emoji four.
_BYTES_PER_TOKEN: Final = 2
#: What a provider adds to each message: who speaks, and where it begins and ends.
PER_MESSAGE: Final = 8


def estimated_tokens(text: str) -> int:
    """Return how many tokens *text* has at the most, roughly; fast: it counts, and splits nothing."""
    ascii_only, other_bytes = text, 0
    if not text.isascii():
        encoded = text.encode("utf-8", "surrogatepass")
        ascii_only = text.encode("ascii", "ignore").decode("ascii")
        other_bytes = len(encoded) - len(ascii_only)
    alone = sum(map(ascii_only.count, _ALONE))
    letters = len(ascii_only) - alone
    return alone + -(-letters // _LETTERS_PER_TOKEN) + -(-other_bytes // _BYTES_PER_TOKEN)


def first_tokens(text: str, tokens: int) -> str:
    """Return as much of the beginning of *text* as has *tokens* tokens at the most."""
    return text[: _most_characters(text, tokens)]


def last_tokens(text: str, tokens: int) -> str:
    """Return as much of the end of *text* as has *tokens* tokens at the most."""
    backwards = text[::-1]
    return text[len(text) - _most_characters(backwards, tokens) :]


def _most_characters(text: str, tokens: int) -> int:
    """Return how many of its first characters have *tokens* tokens at the most."""
    # No token has more characters than that here.
    least, most = 0, min(len(text), max(0, tokens) * _LETTERS_PER_TOKEN)
    while least < most:
        middle = (least + most + 1) // 2
        if estimated_tokens(text[:middle]) <= tokens:
            least = middle
        else:
            most = middle - 1
    return least
