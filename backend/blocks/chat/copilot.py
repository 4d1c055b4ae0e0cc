"""CopilotBlock: one turn of a conversation: a model answers, and calls tools until it has."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.blocks.chat.history import checked, pending_calls, sendable
from backend.blocks.llm.asking import AnswerUnusable, Asker
from backend.blocks.llm.choices import COSTS, model_credentials, model_pin
from backend.blocks.llm.deciding import TOOL_OUTPUT_RULE, Conversation, compacted
from backend.blocks.llm.toolbox import CallRefused
from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    ChatDesk,
    Effect,
    Example,
    Message,
    ModelAnswer,
    Role,
    Said,
    Tool,
    ToolCall,
    UnknownOutcome,
    json_text,
    pin,
    pins,
)

SYSTEM: Final = (
    "You are the copilot of an agent server. You help the person who writes to you with their own"
    " agents: you find them, explain them, run and schedule them, show what runs gave, and draft new"
    " ones. An agent is a graph of blocks: values go along links from an output pin of one node to"
    " an input pin of another.\n"
    "Use the tools instead of guessing: names of blocks, pins, agents and runs come from them alone,"
    " and how something is done on this server stands in its documentation."
    " Run, schedule, create or change something only when this person has asked for it in this"
    " conversation; ask back when you are not sure what they want. When a tool reports an error, mend"
    " the call if you can, and say plainly what does not work if you cannot. Answer briefly, in the"
    " person's language."
)

#: An empty answer is asked for so often.
_TRIES: Final = 3


@dataclass(kw_only=True, slots=True)
class _Turn:
    """A turn under way: what was said, and what it may still take."""

    desk: ChatDesk
    context: BlockContext
    tools: Mapping[str, Tool]
    said: list[Said]
    most_rounds: int
    most_tokens: int
    fresh: list[int] = field(default_factory=list)  #: numbers that nobody was told of

    @property
    def own(self) -> list[Said]:
        """What the copilot has said in this turn, without what it answers."""
        return [one for one in self.said if one.is_own][1:]

    @property
    def pending(self) -> list[ToolCall]:
        """The calls of this turn that have no answer yet."""
        return pending_calls(one.message for one in self.own)

    @property
    def is_answered(self) -> bool:
        """Whether nothing is left to do."""
        own = self.own
        return bool(own) and not self.pending and own[-1].message.get("role") == "assistant"

    @property
    def limit(self) -> str | None:
        """Return what to say where a limit bites; None where none does."""
        rounds = sum(one.message.get("role") == "assistant" for one in self.own)
        tokens = sum(one.tokens for one in self.own)
        if rounds >= self.most_rounds:
            return f"I stopped after {rounds} rounds of calls (setting CHAT_MAX_ROUNDS)."
        if tokens >= self.most_tokens:
            return f"I stopped after {tokens} tokens in one turn (setting CHAT_MAX_TOKENS)."
        return None

    async def say(self, message: Mapping[str, Any], tokens: int = 0) -> None:
        """Keep a message, and only then let anybody know."""
        redactor = self.context.redactor
        kept = dict(message) if redactor is None else redactor.value(dict(message))
        number = self.said[-1].number + 1
        await self.desk.say(number, kept, tokens=tokens)
        self.said.append(Said(number=number, message=kept, is_own=True, tokens=tokens))


class CopilotBlock(Block):
    """Answers in a session of the copilot. It works there alone, and is in no menu."""

    id = "7a5d6c91-3c6e-4cc7-b659-bea7caf5d5a3"
    categories = (Category.AI,)
    block_type = BlockType.AI
    effect = Effect.READ
    disabled = True
    costs = COSTS
    examples = (
        Example(
            inputs={
                "session_id": "none",
                "credentials": {"id": "mine", "provider": "openai", "type": "api_key"},
            },
            error="sessions of the copilot",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        session_id: str = pin(description="The session in which it answers.")
        model: str = model_pin()
        credentials: dict[str, Any] = model_credentials()
        max_rounds: int = pin(default=25, description="Questions to the model, at most.")
        max_tokens: int = pin(default=500_000, description="Tokens in one turn, at most.")

    @pins
    class Output:
        """Output pins."""

        message: int = pin(description="The number of a message that is there now.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the number of each message, once it is on disk."""
        desk = context.conversation(inputs.session_id)
        turn = _Turn(
            desk=desk,
            context=context,
            tools={tool.name: tool for tool in desk.tools()},
            said=[*await desk.said()],
            most_rounds=inputs.max_rounds,
            most_tokens=inputs.max_tokens,
        )
        # After a crash all of them once more, in their order: those that are on disk as outputs are
        # passed over, and the turn goes on behind the last message.
        for one in turn.own:
            yield "message", one.number
        asker = Asker(context, model=inputs.model, credentials=inputs.credentials)
        while not turn.is_answered:
            if calls := turn.pending:
                await _call(turn, calls[0])
            elif (limit := turn.limit) is not None:
                await turn.say({"role": "assistant", "content": limit})
            else:
                answer = await _asked(turn, asker)
                tokens = answer.tokens.input + answer.tokens.output
                await turn.say(_message_of(answer), tokens)
            yield "message", turn.said[-1].number


async def _asked(turn: _Turn, asker: Asker) -> ModelAnswer:
    """
    Return what the model says to all that was said.

    Raises:
        AnswerUnusable: If it says nothing, and calls nothing, each time.
    """
    system = f"{SYSTEM}\n\n{TOOL_OUTPUT_RULE}\n\n{_facts(turn.context)}"
    messages = [Message(role=Role.SYSTEM, text=system), *sendable(one.message for one in turn.said)]
    tools = list(turn.tools.values())
    sent = compacted(Conversation(messages=messages), asker, tools)
    for _ in range(_TRIES):
        answer = await asker.ask(sent, tools=tools, stream=True)
        if answer.tool_calls or answer.text.strip():
            return answer
    raise AnswerUnusable("the model's answer was empty, and it called nothing")


def _facts(context: BlockContext) -> str:
    # The time at which the turn began: the same after a crash, so that the same is asked.
    return (
        f"It is {context.started:%Y-%m-%d %H:%M} UTC. The person's time zone is {context.timezone}."
    )


async def _call(turn: _Turn, call: ToolCall) -> None:
    """Call a tool, and say what it gave."""
    try:
        arguments = checked(call, turn.tools)
    except CallRefused as exc:
        text = json_text({"type": "error", "message": str(exc)})
    else:
        text = await _called(turn, call.name, arguments)
    await turn.say(
        {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text},
    )


async def _called(turn: _Turn, name: str, arguments: Mapping[str, Any]) -> str:
    """Return what a tool gives, once: its name in the journal is the number of its message."""
    desk = turn.desk

    async def work(key: str) -> str:
        return await desk.call(name, arguments, key=key)

    step = f"tool {turn.said[-1].number + 1}"
    try:
        return await turn.context.once(step, work, effect=desk.effect_of(name))
    except UnknownOutcome as exc:
        return json_text({"type": "error", "message": str(exc)})


def _message_of(answer: ModelAnswer) -> dict[str, Any]:
    """Return an answer in OpenAI's shape. Calls without an id get one: their answers name it."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id or f"call_{place}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for place, call in enumerate(answer.tool_calls)
        ]
    return message
