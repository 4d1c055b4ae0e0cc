"""AgentGoogleDriveFileInput: a file in Google's Drive that is chosen when a run starts."""

from collections.abc import Iterator
from typing import Any, Final

from backend.blocks.flow.agent_input import AgentInputBlock
from backend.blocks.google.drive import FILE
from backend.sdk import BlockContext, Example, pin, pins

_VALUE: Final = {"anyOf": [{**FILE, "title": "GoogleDriveFile"}, {"type": "null"}]}
_VIEWS: Final = {
    "items": {
        "enum": [
            "DOCS",
            "DOCUMENTS",
            "SPREADSHEETS",
            "PRESENTATIONS",
            "DOCS_IMAGES",
            "FOLDERS",
        ],
        "type": "string",
    },
    "type": "array",
}
_PLANS: Final = {"id": "f1", "name": "Plans", "_credentials_id": "mine"}


class AgentGoogleDriveFileInputBlock(AgentInputBlock):
    """Takes a file in Google's Drive into the graph; who starts the run chooses it."""

    id = "d3b32f15-6fd7-40e3-be52-e083f51b19a2"
    static_output = True
    examples = (
        Example(inputs={"name": "plans", "value": _PLANS}, outputs=[("result", _PLANS)]),
        Example(inputs={"name": "plans"}, outputs=[]),
        Example(
            inputs={"name": "plans", "value": {"name": "Plans"}}, error="is not valid under any"
        ),
    )

    @pins
    class Input(AgentInputBlock.Input):
        """Input pins."""

        value: dict[str, Any] | None = pin(
            default=None,
            title="Selected File",
            advanced=False,
            schema=_VALUE,
            description="Used when the run gives no file.",
        )
        allowed_views: list[str] = pin(
            default_factory=lambda: ["DOCS", "SPREADSHEETS", "PRESENTATIONS"],
            advanced=False,
            schema=_VIEWS,
            description="What kinds of files are shown to choose from.",
        )
        allow_folder_selection: bool = pin(default=False, description="Folders can be chosen, too.")

    @pins
    class Output:
        """Output pins."""

        result: dict[str, Any] = pin(
            title="GoogleDriveFile",
            schema=FILE,
            description="The file, with the account that may open it.",
        )

    def run(
        self, inputs: AgentInputBlock.Input, _context: BlockContext
    ) -> Iterator[tuple[str, Any]]:
        """Yield the file if there is one."""
        if inputs.value:
            yield "result", inputs.value
