"""Labels of mails at Gmail: which there are, to put one on, to take one off."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.google.gmail import MINE, account_pin, calls_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.services import ServiceCalls, path_of

_RESULT: Final = {
    "properties": {
        "label_id": {"title": "Label Id", "type": "string"},
        "status": {"title": "Status", "type": "string"},
    },
    "required": ["label_id", "status"],
    "type": "object",
}


async def _labels(calls: ServiceCalls) -> list[dict[str, Any]]:
    found = (await calls.object("GET", "labels")).get("labels")
    if not isinstance(found, list):
        raise calls.nonsense("it is no list of labels")
    return [dict(label) for label in found if isinstance(label, dict)]


async def _label_id(calls: ServiceCalls, name: str) -> str | None:
    """Return the id of the label called *name*, whatever its capitals, or None."""
    wanted = name.strip().casefold()
    if not wanted:
        raise ValueError("no label is named")
    for label in await _labels(calls):
        if wanted in (str(label.get("name")).casefold(), str(label.get("id")).casefold()):
            return str(label["id"])
    return None


class GmailListLabelsBlock(Block):
    """Lists the labels of an account at Gmail."""

    id = "3e1c2c1c-c689-4520-b956-1f3bf4e02bb7"
    categories = (Category.COMMUNICATION,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"credentials": MINE},
            outputs=[
                ("result", [{"id": "INBOX", "name": "INBOX"}, {"id": "Label_1", "name": "Work"}])
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("labels")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: list[dict[str, Any]] = pin(description="The labels, each with id and name.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield them."""
        labels = await _labels(calls_of(context, inputs.credentials))
        yield "result", [{"id": label.get("id"), "name": label.get("name")} for label in labels]


class LabelBase(Block):
    """One mail, one label."""

    categories = (Category.COMMUNICATION,)
    effect = Effect.IDEMPOTENT
    retries = 2

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin("modify")
        message_id: str = pin(description="The mail.")
        label_name: str = pin(description="The label.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: dict[str, Any] = pin(
            title="GmailLabelResult", description="The label, and how it went.", schema=_RESULT
        )


class GmailAddLabelBlock(LabelBase):
    """Puts a label on a mail at Gmail; makes the label if there is none of that name."""

    id = "f884b2fb-04f4-4265-9658-14f433926ac9"
    examples = (
        Example(
            inputs={"message_id": "m1", "label_name": "work", "credentials": MINE},
            outputs=[("result", {"label_id": "Label_1", "status": "Label added successfully"})],
        ),
    )

    async def run(
        self, inputs: LabelBase.Input, context: BlockContext
    ) -> AsyncIterator[tuple[str, Any]]:
        """Put it on."""
        calls = calls_of(context, inputs.credentials)
        path = path_of("messages", inputs.message_id, "modify")
        label = await _label_id(calls, inputs.label_name)
        if label is None:
            made = await calls.object("POST", "labels", value={"name": inputs.label_name.strip()})
            label = str(made.get("id"))
        await calls.object("POST", path, value={"addLabelIds": [label]})
        yield "result", {"label_id": label, "status": "Label added successfully"}


class GmailRemoveLabelBlock(LabelBase):
    """Takes a label off a mail at Gmail."""

    id = "0afc0526-aba1-4b2b-888e-a22b7c3f359d"
    examples = (
        Example(
            inputs={"message_id": "m1", "label_name": "Work", "credentials": MINE},
            outputs=[("result", {"label_id": "Label_1", "status": "Label removed successfully"})],
        ),
        Example(
            inputs={"message_id": "m1", "label_name": "Play", "credentials": MINE},
            error="there is no label 'Play'",
        ),
    )

    async def run(
        self, inputs: LabelBase.Input, context: BlockContext
    ) -> AsyncIterator[tuple[str, Any]]:
        """Take it off."""
        calls = calls_of(context, inputs.credentials)
        path = path_of("messages", inputs.message_id, "modify")
        label = await _label_id(calls, inputs.label_name)
        if label is None:
            raise ValueError(f"there is no label {inputs.label_name!r}")
        await calls.object("POST", path, value={"removeLabelIds": [label]})
        yield "result", {"label_id": label, "status": "Label removed successfully"}
