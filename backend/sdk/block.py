"""What a block is: a class with an identity, two sides of pins, an effect, examples and `run`."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from backend.core.block import BlockType, Category, Effect, EffectRule, Place, WebhookConfig

#: For `Block.inline_size`: with so little even slow code in Python is done in a few milliseconds,
#: and a thread costs a quarter of one.
SMALL_INPUTS: Final = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Example:
    """One worked example: shown in the docs, run by the tests."""

    inputs: Mapping[str, Any]
    outputs: Sequence[tuple[str, Any]] = field(default=())
    error: str | None = None  #: the block fails with a text that contains this
    answers: Sequence[str] = ()  #: what language models answer in it, one after the other


class Block:
    """
    Base of all blocks. Subclass it; the name of the class is the name of the block.

    The first paragraph of the docstring is the block's description. ``Input`` and ``Output`` are
    nested classes under ``@pins``. ``run(self, inputs: Input, context: BlockContext)`` yields
    ``(pin, value)``: it is a plain generator when it waits for nothing (then it is run inline), an
    async generator otherwise. Yielding the pin ``error`` ends the block as failed.

    A plain generator that blocks or computes long must not be run inline: it says so by ``place``.
    In a worker process it has its inputs and the plain facts of its context, and no web, files,
    memory or people; what it yields, and its inputs, travel as JSON.

    One instance serves all executions, in any number at once: keep no state on it.
    """

    id: ClassVar[str] = ""
    categories: ClassVar[Sequence[Category]] = ()
    contributors: ClassVar[Sequence[str]] = ()
    block_type: ClassVar[BlockType] = BlockType.STANDARD
    static_output: ClassVar[bool] = False
    sensitive: ClassVar[bool] = False
    disabled: ClassVar[bool] = False
    #: Blocks through which a graph speaks have no ``error`` pin.
    no_error_pin: ClassVar[bool] = False
    #: None: at_most_once when the block takes credentials, else read.
    effect: ClassVar[Effect | EffectRule | None] = None
    #: Whether it talks with tools in turns: links into ``conversation_history`` and
    #: ``last_tool_output`` then need no value in its first turn, and later one each in its turn.
    takes_turns: ClassVar[bool] = False
    #: The pin that says which tool is called, of a block whose node can be several tools. Where a
    #: node leaves it empty, whoever may call the node chooses: a link to another of its pins counts
    #: as one to this pin too.
    tool_choice: ClassVar[str] = ""
    #: For one try, where a node's policy says nothing; 0: none; None: the installation's.
    time_limit_s: ClassVar[float | None] = None
    #: Tries after the first that failed for a passing reason, where a node's policy says nothing.
    retries: ClassVar[int] = 0
    #: Where `run` is run. An async generator is always run on the loop.
    place: ClassVar[Place] = Place.LOOP
    #: With inputs of at most this size it is run on the loop all the same: one for each value and
    #: for each character of a text.
    inline_size: ClassVar[int] = 0
    #: Works, in its own way, without the credentials that its pins ask for; they are None then.
    keyless: ClassVar[bool] = False
    costs: ClassVar[Sequence[Mapping[str, Any]]] = ()
    #: What calls it, if it is a trigger: its type then says how callers come to know the address.
    webhook: ClassVar[WebhookConfig | None] = None
    examples: ClassVar[Sequence[Example]] = ()

    Input: ClassVar[type[Any]]
    Output: ClassVar[type[Any]]
    run: Callable[..., Any]

    #: Whether `run` is an async generator; set by the class itself.
    waits: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.waits = inspect.isasyncgenfunction(getattr(cls, "run", None))
