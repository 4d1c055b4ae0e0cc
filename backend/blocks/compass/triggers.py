"""CompassAITrigger: what a recorder of Compass has heard starts an agent."""

from collections.abc import Iterator
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    WebhookConfig,
    pin,
    pins,
)

_NUMBERS: Final = ("end", "start", "duration")
_WORDS: Final = ("text", "speaker")
_PART: Final = {
    "type": "object",
    "title": "Transcription",
    "properties": {
        **{name: {"title": name.title(), "type": "string"} for name in _WORDS},
        **{name: {"title": name.title(), "type": "number"} for name in _NUMBERS},
    },
    "required": [*_WORDS, *_NUMBERS],
}
_SENT: Final = {
    "date": "2026-11-27",
    "transcription": "Ann: Good morning.",
    "transcriptions": [
        {"text": "Good morning.", "speaker": "Ann", "start": 0, "end": 1.5, "duration": 1.5}
    ],
}


class CompassAITriggerBlock(Block):
    """
    Starts the agent when a recorder of Compass has written down what was said.

    The address is made when the trigger is set up; give it to Compass as that of a webhook.
    """

    id = "9464a020-ed1d-49e1-990f-7f2ac924a2b7"
    categories = (Category.HARDWARE,)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(provider="compass", webhook_type="transcription")
    effect = Effect.PURE
    examples = (
        Example(inputs={"payload": _SENT}, outputs=[("transcription", "Ann: Good morning.")]),
        Example(inputs={"payload": {"date": "today"}}, error="'transcription' is a required"),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            hidden=True,
            description="What Compass sent.",
            schema={
                "type": "object",
                "title": "TranscriptionDataModel",
                "properties": {
                    "date": {"title": "Date", "type": "string"},
                    "transcription": {"title": "Transcription", "type": "string"},
                    "transcriptions": {
                        "items": _PART,
                        "title": "Transcriptions",
                        "type": "array",
                    },
                },
                "required": ["date", "transcription", "transcriptions"],
            },
        )

    @pins
    class Output:
        """Output pins."""

        transcription: str = pin(description="All that was said.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what was said."""
        yield "transcription", inputs.payload["transcription"]
