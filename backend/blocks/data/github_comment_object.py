"""GithubCreateCommentObject: a comment for a review, in the form in which GitHub takes it."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class GithubCreateCommentObjectBlock(Block):
    """Makes one comment on a file, to be sent to GitHub as part of a review."""

    id = "b7d5e4f2-8c3a-4e6b-9f1d-7a8b9c5e4d3f"
    categories = (Category.DEVELOPER_TOOLS,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"path": "a.py", "body": "Why?", "line": 7},
            outputs=[
                ("comment_object", {"path": "a.py", "body": "Why?", "line": 7, "side": "RIGHT"})
            ],
        ),
        Example(
            inputs={"path": "a.py", "body": "Why?", "line": 7, "side": "LEFT", "start_line": 5},
            outputs=[
                (
                    "comment_object",
                    {
                        "path": "a.py",
                        "body": "Why?",
                        "line": 7,
                        "side": "LEFT",
                        "start_line": 5,
                        "start_side": "LEFT",
                    },
                )
            ],
        ),
        Example(
            inputs={"path": "a.py", "body": "Why?", "position": 3, "line": 7},
            outputs=[("comment_object", {"path": "a.py", "body": "Why?", "position": 3})],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        path: str = pin(description="The file.")
        body: str = pin(description="The comment.")
        position: int | None = pin(
            default=None, description="The line within the diff; then no other line counts."
        )
        line: int | None = pin(default=None, description="The line, or the last one of several.")
        side: str | None = pin(default="RIGHT", description="LEFT is before the change.")
        start_line: int | None = pin(default=None, description="The first line of several.")
        start_side: str | None = pin(default=None, description="Its side; else the same one.")

    @pins
    class Output:
        """Output pins."""

        comment_object: dict[str, Any] = pin(description="The comment.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the comment, with nothing in it that GitHub would refuse."""
        yield "comment_object", {"path": inputs.path, "body": inputs.body, **_place(inputs)}


def _place(inputs: GithubCreateCommentObjectBlock.Input) -> dict[str, Any]:
    if inputs.position is not None:
        return {"position": inputs.position}
    if inputs.line is None:
        return {}
    place = {"line": inputs.line, "side": inputs.side}
    if inputs.start_line is None:
        return place
    start_side = inputs.start_side or inputs.side
    return {**place, "start_line": inputs.start_line, "start_side": start_side}
