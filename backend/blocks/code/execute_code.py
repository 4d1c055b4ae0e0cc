"""ExecuteCode: runs code in a sandbox that is there for it alone."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.code.e2b import E2b
from backend.blocks.code.outcomes import CodeOutput, ProgrammingLanguage, given
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CodeStep,
    CredentialsKind,
    Effect,
    EffectRule,
    Example,
    UserId,
    credentials_pin,
    pin,
    pins,
)

#: Without a key it runs here, where nothing is outside; a sandbox at e2b has a network.
EFFECT: Final = EffectRule(
    pin="credentials",
    effects={"None": Effect.READ, "{}": Effect.READ},
    otherwise=Effect.AT_MOST_ONCE,
)


class ExecuteCodeBlock(Block):
    """
    Runs code in a sandbox, and gives what it prints and what its last line is.

    Without credentials the sandbox is this server's own: Python and, where bubblewrap works, bash;
    it has no network and no files but its own. With a key of e2b it is one there.
    """

    id = "0b02b072-abe7-11ef-8372-fb5d162dd712"
    categories = (Category.DEVELOPER_TOOLS,)
    effect = EFFECT
    keyless = True
    examples = (
        Example(
            inputs={"code": "print('Hello World')\n6 * 7"},
            outputs=[
                ("main_result", {"text": "42"}),
                ("results", [{"is_main_result": True, "text": "42"}]),
                ("response", "42"),
                ("stdout_logs", "Hello World\n"),
            ],
        ),
        Example(inputs={"code": "1 / 0"}, error="ZeroDivisionError"),
        Example(inputs={"code": "1", "timeout": 0}, error="timeout"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["e2b"],
            [CredentialsKind.KEY],
            description="A key of e2b. Without one the code runs on this server, if it may.",
        )
        setup_commands: list[str] = pin(
            default_factory=list,
            advanced=False,
            description="Commands of a shell that are run before the code.",
        )
        code: str = pin(default="", advanced=False, description="What to run.")
        language: ProgrammingLanguage = pin(
            default=ProgrammingLanguage.PYTHON, advanced=False, description="What it is written in."
        )
        timeout: int = pin(default=300, description="Seconds for all of it.")
        dispose_sandbox: bool = pin(
            default=True, description="End the sandbox at once. Here that is always so."
        )
        template_id: str = pin(default="", description="The template of a sandbox at e2b.")

    Output = CodeOutput

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what the code came to."""
        steps = [
            *setup(inputs.setup_commands),
            CodeStep(code=inputs.code, language=inputs.language.value),
        ]
        timeout_s = seconds(inputs.timeout)
        if not inputs.credentials:
            outcome = await context.code_sandboxes().run(
                UserId(context.user_id), steps, time_s=timeout_s
            )
        else:
            e2b = E2b(context, inputs.credentials)
            sandbox_id = await e2b.create(inputs.template_id, timeout_s)
            try:
                outcome = await e2b.run(sandbox_id, steps, timeout_s)
            finally:
                if inputs.dispose_sandbox:
                    await e2b.end(sandbox_id)
        for output in given(outcome):
            yield output


def setup(commands: list[str]) -> list[CodeStep]:
    """Return commands of a shell as steps."""
    return [CodeStep(code=command, language=ProgrammingLanguage.BASH.value) for command in commands]


def seconds(timeout: int) -> int:
    """Return *timeout*, if it is one. Raises ValueError."""
    if timeout < 1:
        raise ValueError("timeout is a number of seconds, at least 1")
    return timeout
