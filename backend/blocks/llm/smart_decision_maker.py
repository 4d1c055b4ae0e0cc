"""SmartDecisionMaker: a model that decides which of the nodes linked to it are to run, and how."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from backend.blocks.llm.asking import AnswerUnusable, Asker, bounded_tries
from backend.blocks.llm.choices import (
    COSTS,
    model_credentials,
    model_pin,
    most_tokens_pin,
    ollama_pin,
)
from backend.blocks.llm.deciding import (
    Conversation,
    as_text,
    begin,
    compacted,
    refused_text,
    result_text,
)
from backend.blocks.llm.samples import KEY
from backend.blocks.llm.server_tools import toolbox_of
from backend.blocks.llm.toolbox import CallRefused, CheckedCall, Toolbox
from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    ModelAnswer,
    ToolCall,
    pin,
    pins,
)

T = TypeVar("T")

SYSTEM: Final = (
    "You decide step by step which of the given functions to call next, or none. Call only"
    " functions that you were given, with arguments that fit their parameters; ask for nothing that"
    " is not needed for the task. Use what you were told and what earlier calls returned; do not"
    " invent values. When the task is done, or nothing can be done about it, say so in a plain"
    " answer without calling anything."
)


@dataclass(kw_only=True, slots=True)
class _Deciding:
    """One execution under way."""

    context: BlockContext
    asker: Asker
    box: Toolbox
    talk: Conversation
    tries: int
    parallel: bool
    compact: bool
    tokens: int = 0
    calls: int = 0
    refused: int = field(default=0)  #: rounds in a row of which nothing could be called

    async def ask(self) -> ModelAnswer:
        """
        Return what the model says to all that was said.

        Raises:
            AnswerUnusable: If it says nothing, and calls nothing, each time.
        """
        tools = self.box.tools
        sent = self.talk.messages
        if self.compact:
            sent = compacted(self.talk, self.asker, tools)
        for _ in range(self.tries):
            asking = self.asker.ask(sent, tools=tools, parallel_tools=self.parallel, stream=True)
            answer = await self.in_time(asking)
            self._count(answer)
            if answer.tool_calls or answer.text.strip():
                return answer
        raise AnswerUnusable("the model's answer was empty, and it called nothing")

    async def in_time(self, work: Awaitable[T]) -> T:
        """Return what *work* comes to. Raises AnswerUnusable if all together takes too long."""
        most = self.context.bounds.time_s
        if not most:
            return await work
        gone = self.context.now() - self.context.started
        limit = asyncio.timeout(max(0.0, most - gone.total_seconds()))
        try:
            async with limit:
                return await work
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise AnswerUnusable(
                f"it took longer than {most:g} s (setting MAX_DECISION_TIME_S)"
            ) from exc

    def _count(self, answer: ModelAnswer) -> None:
        self.tokens += answer.tokens.input + answer.tokens.output
        most = self.context.bounds.tokens
        if self.tokens > most:
            raise AnswerUnusable(
                f"over {most} tokens were used in one execution (setting MAX_DECISION_TOKENS)"
            )

    def calls_of(self, answer: ModelAnswer) -> Sequence[ToolCall]:
        """Return the calls of *answer* that count; one, where several are not wanted."""
        return answer.tool_calls if self.parallel else answer.tool_calls[:1]

    def checked(self, calls: Sequence[ToolCall]) -> list[CheckedCall | CallRefused]:
        """
        Return what of *calls* can be made, and what is wrong about the others, in their order.

        Raises:
            AnswerUnusable: If nothing could be called for as many answers in a row as are tried.
        """
        found: list[CheckedCall | CallRefused] = []
        for call in calls:
            try:
                found.append(self.box.checked(call))
            except CallRefused as exc:
                found.append(exc)
        problems = [str(one) for one in found if isinstance(one, CallRefused)]
        self.refused = self.refused + 1 if found and len(problems) == len(found) else 0
        if self.refused >= self.tries:
            raise AnswerUnusable(
                f"the model made no call that can be made in {self.tries} tries: {problems[-1]}"
            )
        self.calls += len(found) - len(problems)
        most = self.context.bounds.calls
        if self.calls > most:
            raise AnswerUnusable(
                f"over {most} calls of tools were made in one execution"
                " (setting MAX_DECISION_CALLS)"
            )
        return found


class SmartDecisionMakerBlock(Block):
    """Lets a language model decide which of the nodes linked to its tools run, with which inputs."""

    id = "3b191d9f-356f-482d-8238-ba04b6d18381"
    categories = (Category.AI,)
    block_type = BlockType.AI
    effect = Effect.READ
    takes_turns = True
    costs = COSTS
    examples = (
        Example(
            inputs={"prompt": "Is anything to be done?", "credentials": KEY},
            answers=["No, all is done."],
            outputs=[("tool_functions", "[]"), ("finished", "No, all is done.")],
        ),
        Example(
            inputs={
                "prompt": "Go on.",
                "credentials": KEY,
                "conversation_history": [{"role": "judge", "content": "x"}],
            },
            error="message 1 has the role 'judge'",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        prompt: str = pin(description="What is to be decided or done.", advanced=False)
        model: str = model_pin()
        credentials: dict[str, Any] = model_credentials()
        multiple_tool_calls: bool = pin(
            default=False,
            advanced=True,
            description="Whether one answer may call several tools, which then run side by side.",
        )
        sys_prompt: str = pin(
            default=SYSTEM, title="System Prompt", description="How the model is to decide."
        )
        conversation_history: list[dict[str, Any]] | None = pin(
            default_factory=list,
            advanced=True,
            description=(
                "What was said so far. To go on in turns, link conversations back to it, and what"
                " the tools give to last_tool_output."
            ),
        )
        last_tool_output: Any = pin(
            default=None, description="What the tool that was called last gave."
        )
        retry: int = pin(
            default=3,
            title="Retry Count",
            description="Answers that are asked for until one can be used.",
        )
        prompt_values: dict[str, str] = pin(
            default_factory=dict,
            advanced=False,
            description="Values for the gaps, {{name}}, in both prompts.",
        )
        max_tokens: int | None = most_tokens_pin()
        ollama_host: str = ollama_pin()
        agent_mode_max_iterations: int = pin(
            default=0,
            description=(
                "0: one decision; its calls leave by links. Otherwise the model calls tools here,"
                " round after round, until it is done: so many rounds at most, -1 as many as the"
                " server allows (MAX_DECISION_ROUNDS)."
            ),
        )
        conversation_compaction: bool = pin(
            default=True,
            title="Context window auto-compaction",
            description="Whether the oldest rounds are left out where the model has no room for all.",
        )

    @pins
    class Output:
        """Output pins."""

        tools: Any = pin(description="Link it to the pins of nodes that the model may call.")
        finished: str = pin(description="What the model says when it calls nothing more.")
        conversations: list[Any] = pin(description="All that was said, for the next turn.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the tools, and then what the model decides."""
        box = await toolbox_of(context)
        yield "tool_functions", box.described()
        talk = begin(
            inputs.conversation_history or (),
            prompt=inputs.prompt,
            sys_prompt=inputs.sys_prompt,
            values=inputs.prompt_values,
            has_tools=bool(box.tools),
        )
        if talk.pending:
            talk.add_tool_text(talk.pending[0], as_text(inputs.last_tool_output))
            if talk.pending:  # the others are answered in turns of their own
                yield "conversations", talk.shown()
                return
        deciding = _Deciding(
            context=context,
            asker=Asker.of(inputs, context),
            box=box,
            talk=talk,
            tries=bounded_tries(inputs.retry),
            parallel=inputs.multiple_tool_calls,
            compact=inputs.conversation_compaction,
        )
        agent = inputs.agent_mode_max_iterations
        outputs = self._loop(deciding, agent) if agent else self._once(deciding)
        async for output in outputs:
            yield output

    async def _once(self, deciding: _Deciding) -> AsyncIterator[tuple[str, Any]]:
        """Decide once; what is called gets its arguments by links."""
        talk = deciding.talk
        answer, found = await self._decision(deciding)
        if not found:
            yield "finished", answer.text
            return
        for one in found:
            for name, value in one.linked.by_links(one.arguments):
                yield f"tools_^_{one.linked.node.node_id}_~_{name}", value
        talk.add_answer(answer, [one.call for one in found])
        yield "conversations", talk.shown()

    async def _decision(self, deciding: _Deciding) -> tuple[ModelAnswer, list[CheckedCall]]:
        """Return an answer all of whose calls can be made; wrong ones go back, within bounds."""
        problems: list[str] = []
        for _ in range(deciding.tries):
            answer = await deciding.ask()
            calls = deciding.calls_of(answer)
            found = deciding.checked(calls)
            problems = [str(one) for one in found if isinstance(one, CallRefused)]
            if not problems:
                return answer, [one for one in found if isinstance(one, CheckedCall)]
            deciding.talk.add_answer(answer, calls)
            for call, one in zip(calls, found, strict=True):
                told = str(one) if isinstance(one, CallRefused) else "not called: another was wrong"
                deciding.talk.add_tool_text(call.id, refused_text(told))
        raise AnswerUnusable(f"the model's calls cannot be made: {'; '.join(problems)}")

    async def _loop(self, deciding: _Deciding, rounds: int) -> AsyncIterator[tuple[str, Any]]:
        """Decide, call, and decide again, until the model calls nothing more."""
        talk, context = deciding.talk, deciding.context
        most = context.bounds.rounds if rounds < 0 else min(rounds, context.bounds.rounds)
        for number in range(most):
            answer = await deciding.ask()
            calls = deciding.calls_of(answer)
            talk.add_answer(answer, calls)
            if not calls:
                yield "finished", answer.text
                yield "conversations", talk.shown()
                return
            found = deciding.checked(calls)
            calling = (_call(one, f"{number}.{place}", context) for place, one in enumerate(found))
            texts = await deciding.in_time(asyncio.gather(*calling))
            for call, text in zip(calls, texts, strict=True):
                talk.add_tool_text(call.id, text)
            yield "conversations", talk.shown()
        yield "finished", f"Agent mode completed after {most} iterations (limit reached)"


async def _call(one: CheckedCall | CallRefused, key: str, context: BlockContext) -> str:
    """Return what the model reads about a call."""
    if isinstance(one, CallRefused):
        return refused_text(str(one))
    assert context.tools is not None
    inputs = one.linked.inputs(one.arguments)
    return result_text(await context.tools.call(key, one.linked.node.node_id, inputs))
