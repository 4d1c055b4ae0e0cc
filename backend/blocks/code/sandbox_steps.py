"""InstantiateCodeSandbox and ExecuteCodeStep: a sandbox that is kept, and code that goes on in it."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.code.e2b import E2b
from backend.blocks.code.execute_code import EFFECT, seconds, setup
from backend.blocks.code.outcomes import (
    CodeOutput,
    ProgrammingLanguage,
    given,
    printed,
    text_of,
)
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CodeStep,
    CredentialsKind,
    Effect,
    Example,
    UserId,
    credentials_pin,
    pin,
    pins,
)

#: At e2b a step may take as long as its sandbox lives, which has been said when that was made.
_STEP_S = 300


class InstantiateCodeSandboxBlock(Block):
    """
    Starts a sandbox, runs what prepares it, and keeps it for code that follows.

    Here it is kept for `timeout` seconds at most, and not over a restart of the server.
    """

    id = "ff0861c9-1726-4aec-9e5b-bf53f3622112"
    categories = (Category.DEVELOPER_TOOLS,)
    effect = EFFECT
    keyless = True
    examples = (
        Example(inputs={"setup_code": "raise KeyError('x')"}, error="KeyError: 'x'"),
        Example(inputs={"timeout": -1}, error="timeout"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["e2b"],
            [CredentialsKind.KEY],
            description="A key of e2b. Without one the sandbox is on this server, if it may.",
        )
        setup_commands: list[str] = pin(
            default_factory=list,
            advanced=False,
            description="Commands of a shell that are run first.",
        )
        setup_code: str = pin(default="", advanced=False, description="Code that is run then.")
        language: ProgrammingLanguage = pin(
            default=ProgrammingLanguage.PYTHON, advanced=False, description="What it is written in."
        )
        timeout: int = pin(default=300, description="Seconds that the sandbox is kept.")
        template_id: str = pin(default="", description="The template of a sandbox at e2b.")

    @pins
    class Output:
        """Output pins."""

        sandbox_id: str = pin(description="Names the sandbox for the steps that follow.")
        response: str = pin(title="Text Result", description="The value of the last line as text.")
        stdout_logs: str = pin(description="What was printed.")
        stderr_logs: str = pin(description="What was printed to standard error.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the id of the sandbox, and what its preparation came to."""
        steps = setup(inputs.setup_commands)
        if inputs.setup_code:
            steps.append(CodeStep(code=inputs.setup_code, language=inputs.language.value))
        timeout_s = seconds(inputs.timeout)
        if not inputs.credentials:
            sandbox_id, outcome = await context.code_sandboxes().open(
                UserId(context.user_id), steps, keep_s=timeout_s
            )
        else:
            e2b = E2b(context, inputs.credentials)
            sandbox_id = await e2b.create(inputs.template_id, timeout_s)
            outcome = await e2b.run(sandbox_id, steps, timeout_s)
            if outcome.error is not None:
                await e2b.end(sandbox_id)
        if outcome.error is not None:
            raise ValueError(outcome.error)
        yield "sandbox_id", sandbox_id
        if text := text_of(outcome.results):
            yield "response", text
        for output in printed(outcome):
            yield output


class ExecuteCodeStepBlock(Block):
    """Runs code in a sandbox that an earlier node has started, where earlier steps left off."""

    id = "82b59b8e-ea10-4d57-9161-8b169b0adba6"
    categories = (Category.DEVELOPER_TOOLS,)
    # Values that stay are changed by each step.
    effect = Effect.AT_MOST_ONCE
    keyless = True
    examples = (
        Example(inputs={"sandbox_id": "local-gone", "step_code": "1"}, error="is not there"),
        Example(inputs={"sandbox_id": "x/y", "step_code": "1"}, error="is not there"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["e2b"],
            [CredentialsKind.KEY],
            description="A key of e2b, for a sandbox that is there.",
        )
        sandbox_id: str = pin(advanced=False, description="Names the sandbox.")
        step_code: str = pin(default="", advanced=False, description="What to run.")
        language: ProgrammingLanguage = pin(
            default=ProgrammingLanguage.PYTHON, advanced=False, description="What it is written in."
        )
        dispose_sandbox: bool = pin(default=False, description="End the sandbox afterwards.")

    Output = CodeOutput

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what the code came to."""
        step = CodeStep(code=inputs.step_code, language=inputs.language.value)
        user_id = UserId(context.user_id)
        if not inputs.credentials:
            sandboxes = context.code_sandboxes()
            try:
                outcome = await sandboxes.step(user_id, inputs.sandbox_id, step)
            finally:
                if inputs.dispose_sandbox:
                    await sandboxes.end(user_id, inputs.sandbox_id)
        else:
            e2b = E2b(context, inputs.credentials)
            try:
                outcome = await e2b.run(inputs.sandbox_id, [step], _STEP_S)
            finally:
                if inputs.dispose_sandbox:
                    await e2b.end(inputs.sandbox_id)
        for output in given(outcome):
            yield output
