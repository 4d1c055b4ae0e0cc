"""Language models for one node execution: each question a step, asked again within bounds, counted."""

import asyncio
import contextlib
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from backend.core import json
from backend.core.budgets import BudgetPending, Estimate
from backend.core.credentials import Credentials
from backend.core.errors import (
    ModelLimited,
    NotConfigured,
    NotFound,
    StaleAttempt,
    WebFailed,
    WebServerError,
    WebTimedOut,
    WebTooLarge,
)
from backend.core.execution import NodeExecution
from backend.core.model_counts import counted
from backend.core.models import (
    Finish,
    ModelAnswer,
    ModelRequest,
    ModelSpec,
    Source,
    Tokens,
    ToolCall,
)
from backend.core.node_steps import CallMade, PlannedCall, Remembered, StepBegun
from backend.engine.node_steps import StepDesk
from backend.engine.text_stream import TextStream
from backend.engine.tools import EngineTools
from backend.sdk import BlockContext

if TYPE_CHECKING:
    from backend.engine.context import Usage
    from backend.engine.run_loop import RunLoop

log = structlog.get_logger()

#: Before the second call; each further wait is twice as long, and up to a half longer by chance.
FIRST_WAIT_S: Final = 1.0
_DIGEST_CHARACTERS: Final = 32
#: Of an answer whose length neither the request nor the registry bounds, where a budget counts.
_ANSWER_TOKENS: Final = 8_192
#: That a provider puts around a question.
_AROUND_TOKENS: Final = 64
_ANSWER: Final = frozenset(field.name for field in fields(ModelAnswer))
_TOKENS: Final = frozenset(field.name for field in fields(Tokens))


class ModelDesk:
    """
    See backend.sdk.context.Models.

    Attributes:
        context: Lends the credentials; set by whoever makes the desk, before it is used.
    """

    __slots__ = ("_execution", "_loop", "_seen", "_steps", "_tools", "_tries", "_usage", "context")

    context: BlockContext

    def __init__(
        self,
        tools: EngineTools,
        loop: "RunLoop",
        execution: NodeExecution,
        steps: StepDesk,
        usage: "Usage",
    ) -> None:
        self._tools = tools
        self._loop = loop
        self._execution = execution
        self._steps = steps
        self._usage = usage
        self._tries = -1
        self._seen: Counter[str] = Counter()

    def spec(self, name: str) -> ModelSpec:
        """Return what is known of a model; see backend.sdk.context.Models."""
        return self._tools.registry.find(name)

    async def ask(
        self,
        request: ModelRequest,
        *,
        credentials: Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> ModelAnswer:
        """Return the answer to *request*; see backend.sdk.context.Models."""
        name, failed, most = self._name_of(request), 0, self._most(request)
        while True:
            begun = await self._begin(name, request, most)
            if begun.is_done:
                return answer_of(begun.result)
            if begun.is_reserved and request.max_tokens is None:
                # What was reserved is for an answer of this length.
                request = replace(request, max_tokens=self._longest(request))
            try:
                answer = await self._call(request, credentials, name, begun.tries, stream=stream)
            except (ModelLimited, WebServerError, WebFailed) as exc:
                failed += 1
                await self._give_up(name, begun, is_known=not isinstance(exc, WebTimedOut))
                await self._wait(exc, failed, name)
            except BaseException as exc:
                # Cancelled, nobody knows what it took; any other failure came before that.
                await self._give_up(name, begun, is_known=isinstance(exc, Exception))
                raise
            else:
                return await self._keep(name, request, answer)

    async def _begin(self, name: str, request: ModelRequest, most: Estimate) -> StepBegun:
        await self._steps.ready()
        begun = await self._tools.steps.begin_step(
            self._steps.place,
            name,
            repeatable=True,
            now_us=self._loop.now(),
            call=PlannedCall(
                model=request.model,
                most=most,
                defaults=self._tools.limits.budgets,
                cache=self._remembered(name),
            ),
        )
        self._usage.asked = begun.used
        if begun.waits_for is not None:
            log.info("node_waits_for_budget", execution=self._loop.execution.id)
            raise BudgetPending(begun.waits_for)
        return begun

    async def _give_up(self, name: str, begun: StepBegun, *, is_known: bool) -> None:
        """End what is reserved for a call that has failed."""
        if begun.is_reserved:
            with contextlib.suppress(StaleAttempt):  # whoever has the run has settled it
                await self._tools.steps.give_up_call(self._steps.place, name, is_known=is_known)

    def _most(self, request: ModelRequest) -> Estimate:
        """Return what a call may take: no question has more tokens than bytes, and a few around."""
        said = asdict(request)
        asked = [said["messages"], said["tools"], said["json_schema"]]
        size = len(json.dumps(asked)) + _AROUND_TOKENS
        answer = request.max_tokens or self._longest(request)
        tokens = Tokens(input=size, output=answer)
        return Estimate(tokens=size + answer, micro_usd=self._cost_of(request, tokens))

    def _longest(self, request: ModelRequest) -> int:
        """Return how many tokens an answer has at most that says nothing of it."""
        try:
            spec = self.spec(request.model)
        except NotFound:
            return _ANSWER_TOKENS
        return spec.max_output or min(_ANSWER_TOKENS, spec.context)

    def _name_of(self, request: ModelRequest) -> str:
        """Return the name of the step: what is asked, and how often that was asked before."""
        if self._tries != self._execution.tries:  # a further try of the node begins at its start
            self._tries = self._execution.tries
            self._seen.clear()
        digest = digest_of(request)[:_DIGEST_CHARACTERS]
        self._seen[digest] += 1
        return f"model {digest} {self._seen[digest]}"

    async def _call(
        self,
        request: ModelRequest,
        reference: Mapping[str, Any] | None,
        name: str,
        number: int,
        *,
        stream: bool,
    ) -> ModelAnswer:
        client = self._tools.models
        if client is None:
            raise NotConfigured("this block needs a language model, and here is none")
        lent: Credentials | None = None
        if reference is not None:
            lent = await self.context.credentials(reference)
        text = None
        # Who has asked in a session comes to watch in a moment, if not yet.
        is_turn = self.context.chats is not None
        if stream and (is_turn or self._tools.journal.is_watched(self._loop)):
            text = TextStream(self._tools, self._loop, self._execution, self.context, number)
        try:
            async with asyncio.timeout(request.timeout_s):
                return await client.ask(
                    request,
                    lent,
                    key=self._steps.key_of(name),
                    on_text=None if text is None else text.add,
                )
        except TimeoutError as exc:
            raise WebTimedOut(
                f"{request.model} did not answer within {request.timeout_s:g} s"
            ) from exc
        finally:
            if text is not None:
                text.close()

    async def _wait(self, error: Exception, failed: int, name: str) -> None:
        """Wait before the next call; raise *error* where there is none."""
        limits = self._tools.limits
        if failed >= limits.model_tries or isinstance(error, WebTooLarge):
            raise error
        # What many runs were refused at once is not asked again by all of them at once.
        chance = hashlib.sha256(f"{self._execution.id}{name}{failed}".encode()).digest()[0] / 255
        wait_s = min(FIRST_WAIT_S * 2 ** (failed - 1) * (1 + chance / 2), limits.model_wait_s)
        asked_s = error.retry_after_s if isinstance(error, ModelLimited) else None
        if asked_s is not None:
            if asked_s > limits.model_wait_s:
                raise ModelLimited(
                    f"{error} (it asks to wait {asked_s:g} s, longer than setting "
                    f"MAX_MODEL_WAIT_S, {limits.model_wait_s:g})",
                    retry_after_s=asked_s,
                ) from error
            wait_s = asked_s + chance * FIRST_WAIT_S
        log.info(
            "model_asked_again",
            execution=self._loop.execution.id,
            node=self._execution.node.id,
            failed=failed,
            wait_s=round(wait_s, 3),
            error=str(error)[:500],
        )
        await asyncio.sleep(wait_s)

    async def _keep(self, name: str, request: ModelRequest, answer: ModelAnswer) -> ModelAnswer:
        """Put *answer* on disk, and only then give it out."""
        tokens = counted(request, answer)
        answer = replace(answer, tokens=tokens)
        made = CallMade(
            model=request.model,
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cost_micro_usd=self._cost_of(request, tokens),
            estimated_calls=int(tokens.estimated),
            cache=self._remembered(name) if is_whole(answer) else None,
        )
        self._usage.asked = await self._tools.steps.finish_step(
            self._steps.place,
            name,
            result=self._loop.handed_on.plain(asdict(answer)),
            now_us=self._loop.now(),
            call=made,
        )
        return answer

    def _remembered(self, name: str) -> Remembered | None:
        """Return how an answer to the question of the step *name* is found again, if it may be."""
        age_s = self._execution.node.policy.model_cache_s
        # The name says the whole question, and how often it was asked before: who asks one thing
        # twice wants two answers.
        return Remembered(key=name, age_us=int(age_s * 1e6)) if age_s else None

    def _cost_of(self, request: ModelRequest, tokens: Tokens) -> int:
        """Return micro US dollars; of a model that the registry does not know nobody knows a price."""
        try:
            return self.spec(request.model).cost_of(tokens)
        except NotFound:
            return 0


def digest_of(request: ModelRequest) -> str:
    """Return what is the same for each question of the same words, and for no other."""
    asked = {**asdict(request), "timeout_s": None}
    if not request.thinking:
        del asked["thinking"]  # it came later: what was asked before it keeps its name
    return hashlib.sha256(json.dumps(asked)).hexdigest()


def is_whole(answer: ModelAnswer) -> bool:
    """Say whether *answer* ended by itself and says something."""
    ended = answer.finish in (Finish.STOP, Finish.TOOLS)
    return ended and bool(answer.text.strip() or answer.tool_calls)


def answer_of(kept: Any) -> ModelAnswer:
    """Return the answer whose fields *kept* holds, as JSON reads back; of a newer program's, too."""
    return ModelAnswer(
        **{
            **{name: value for name, value in kept.items() if name in _ANSWER},
            "tool_calls": tuple(ToolCall(**call) for call in kept["tool_calls"]),
            "sources": tuple(Source(**source) for source in kept.get("sources") or ()),
            "tokens": Tokens(
                **{name: value for name, value in kept["tokens"].items() if name in _TOKENS}
            ),
            "finish": Finish(kept["finish"]),
        }
    )
