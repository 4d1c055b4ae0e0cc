"""Every error of ours, in one tree. HTTP statuses are not here: they stand in api/errors.py.

AgentServerError
├── NotFound             what was asked for is not there, or not yours
├── Gone                 what this rests on was there once, and is not any more
├── NotAllowed           you may not do this
├── LoginRefused         what was shown to come in is not good
├── BadRequest           the input cannot be used; says what and where
│   ├── GraphInvalid     problems of a graph, by node
│   ├── BlockError       a block refused its input, its output, or reported an error
│   ├── SignInNeeded     an account outside does not let us in any more; its owner must sign in
│   ├── AddressRefused   a mail address takes no letters
│   ├── WebRefused       an address or request that may not leave this machine
│   └── WebClientError   somebody else's server answered 4xx
├── InsufficientBalance  there are not enough credits for it
├── Conflict             the thing is in a state in which this cannot be done
├── TooManyRequests      somebody asks more often than they may; says when to try again
├── ProviderSilent       a provider did not do in time what it was asked for
├── Unavailable          a part that is needed does not answer now; try again
│   ├── WebFailed        somebody else's server could not be reached, or answered nonsense
│   │   ├── WebTimedOut  it did not answer within the time limit
│   │   └── WebTooLarge  its answer is larger than the limit
│   ├── WebServerError   it answered 5xx
│   └── ServiceLimited   it asks to wait before it is called again; says how long
│       └── ModelLimited a provider of models does
├── SecretUnreadable     a stored secret does not open with the keys of this installation
├── ProcessFailed        code in a worker process raised something that nobody expected
├── ProcessEnded         a worker process ended before its work did; says how
├── BadSetting           a setting has a value that cannot be used
├── CannotStart          the program cannot start here; says why
├── StaleAttempt         somebody else owns this run now
├── UnknownOutcome       what must happen once was begun, and nobody knows how it ended
└── IllegalTransition    a status was asked for that cannot follow the present one
"""

from collections.abc import Mapping


class AgentServerError(Exception):
    """Something went wrong in the agent server."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())

    def in_full(self, most: int = 3) -> str:  # noqa: ARG002 - for those that know more
        """Return the message with what else is known, *most* details of it, as one text."""
        return str(self)


class NotFound(AgentServerError):
    """There is no such thing here."""


class Gone(AgentServerError):
    """What this needs was there once, and is not any more."""


class NotAllowed(AgentServerError):
    """You may not do this."""


class LoginRefused(AgentServerError):
    """The e-mail address or the password is wrong."""


class BadRequest(AgentServerError):
    """This input cannot be used."""


class TooLarge(BadRequest):
    """This is larger than the limit."""


class AddressRefused(BadRequest):
    """This mail address takes no letters."""


class ConversionFailed(BadRequest):
    """A value cannot be converted to the type of its pin."""


class GraphInvalid(BadRequest):
    """
    A graph has problems.

    Attributes:
        problems: Texts by node id, then by field. Empty when the structure itself is broken.
    """

    def __init__(
        self, message: str, problems: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        super().__init__(message)
        self.problems: dict[str, dict[str, str]] = {
            node: dict(fields) for node, fields in (problems or {}).items()
        }

    def in_full(self, most: int = 3) -> str:
        """Return the message and the first problems, by node and field."""
        told = [
            f"node {node}, {field}: {text}"
            for node, fields in self.problems.items()
            for field, text in fields.items()
        ]
        return "; ".join([str(self), *told[:most]])


class BlockError(BadRequest):
    """
    A block failed.

    The text on the ``error`` pin is this message, with the name and id of the block around what
    the block itself said (spec/semantics.md 1.10).
    """

    def __init__(self, reason: str, *, block_name: str, block_id: str) -> None:
        super().__init__(f"raised by {block_name} with message: {reason}. block_id: {block_id}")
        self.reason = reason
        self.block_name = block_name
        self.block_id = block_id


class BlockInputError(BlockError):
    """A block cannot work with this input."""


class BlockOutputError(BlockError):
    """A block yielded what its output pins do not declare."""


class BlockExecutionError(BlockError):
    """A block reported an error."""


class BlockUnknownError(BlockError):
    """A block raised something that nobody expected."""


class InsufficientBalance(AgentServerError):
    """There are not enough credits for this."""


class Conflict(AgentServerError):
    """This cannot be done in the present state."""


class TooManyRequests(AgentServerError):
    """
    Somebody asks more often than they may.

    Attributes:
        retry_after_s: After so many whole seconds it may be tried again.
    """

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StillStopping(AgentServerError):
    """The run needs longer to stop than the caller waits. It will stop."""


class ProviderSilent(AgentServerError):
    """A provider was asked for something, and it did not come in time."""


class Unavailable(AgentServerError):
    """A part of the server that is needed for this does not answer now."""


class ValueLost(AgentServerError):
    """A large value of a run has its own file, and that is missing or damaged."""


class NotConfigured(AgentServerError):
    """The server lacks a setting that is needed for this."""


class ProviderNotConfigured(NotConfigured):
    """The server is no registered client of this provider: its id and secret are not set."""


class SecretUnreadable(AgentServerError):
    """A stored secret cannot be opened with the keys of this installation; it stays as it is."""


class SignInNeeded(BadRequest):
    """An account at a provider does not let this server in any more: connect it again."""


class ProcessFailed(AgentServerError):
    """Code in a worker process raised something that nobody expected."""


class ProcessEnded(AgentServerError):
    """A worker process ended before its work did."""


class BadSetting(AgentServerError):
    """A setting has a value that cannot be used."""


class CannotStart(AgentServerError):
    """The program cannot start."""


class StaleAttempt(AgentServerError):
    """Somebody else owns this run now."""


class UnknownOutcome(AgentServerError):
    """Something that must happen at most once was begun, and nobody knows whether it happened."""


class IllegalTransition(AgentServerError):
    """A status was asked for that cannot follow the present one."""

    def __init__(self, now: str, wanted: str) -> None:
        super().__init__(f"{wanted} cannot follow {now}")
        self.now = now
        self.wanted = wanted


class WebRefused(BadRequest):
    """This address may not be called from here."""


class WebFailed(Unavailable):
    """A server outside could not be reached, or its answer cannot be used."""


class WebTimedOut(WebFailed):
    """A server outside did not answer within the time limit."""


class WebTooLarge(WebFailed):
    """The answer of a server outside is larger than the limit."""


class WebClientError(BadRequest):
    """
    A server outside refused the request.

    Attributes:
        status: The HTTP status of its answer, 400 to 499.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class WebServerError(Unavailable):
    """
    A server outside failed.

    Attributes:
        status: The HTTP status of its answer, 500 and up.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServiceLimited(Unavailable):
    """
    A service asks to wait before it is called again.

    Attributes:
        retry_after_s: As the service says; None if it does not.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelLimited(ServiceLimited):
    """A provider of models asks to wait before it is called again."""
