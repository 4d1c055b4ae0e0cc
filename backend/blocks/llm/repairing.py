"""Asks for an answer of a certain form; a wrong one goes back to the model with what is wrong."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from backend.blocks.llm.asking import AnswerUnusable, Asker, bounded_tries, require_text
from backend.sdk import Finish, JsonObject, Message, Role, first_tokens

T = TypeVar("T")

#: Of a wrong answer, so much goes back.
_SHOWN_TOKENS: Final = 4_000


async def ask_until_right(
    asker: Asker,
    messages: Sequence[Message],
    read: Callable[[str], T],
    *,
    tries: int,
    schema: JsonObject | None = None,
    stream: bool = False,
) -> T:
    """
    Return what *read* makes of the model's answer.

    Args:
        read: Raises ValueError with what is wrong; the model is told so and asked again.
        tries: Answers in all.

    Raises:
        AnswerUnusable: If none of them will do; says what was wrong with the last.
    """
    most = bounded_tries(tries)
    asked, problem = list(messages), ""
    for _ in range(most):
        answer = await asker.ask(asker.fitted(asked), schema=schema, stream=stream)
        try:
            return read(require_text(answer))
        except (AnswerUnusable, ValueError) as exc:
            problem = _problem(exc, answer.finish)
        # Only the last wrong answer: more of them teach nothing and fill the context.
        asked = [*messages, *_feedback(answer.text, problem)]
    raise AnswerUnusable(f"the model gave no usable answer in {most} tries: {problem}")


def _problem(error: Exception, finish: Finish) -> str:
    if finish is Finish.LENGTH:
        return f"{error}; the answer was cut off by its limit of tokens (max_tokens)"
    return str(error)


def _feedback(wrong: str, problem: str) -> list[Message]:
    said = (
        [Message(role=Role.ASSISTANT, text=first_tokens(wrong, _SHOWN_TOKENS))]
        if wrong.strip()
        else []
    )
    told = (
        f"That answer cannot be used: {problem}.\n"
        "Answer once more, complete and in the form that was asked for. Nothing else changes."
    )
    return [*said, Message(role=Role.USER, text=told)]
