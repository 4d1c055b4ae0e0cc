"""Who provides language models: one call to one of them, and nothing of what surrounds it."""

from collections.abc import Callable
from typing import Protocol

from backend.core.credentials import Credentials
from backend.core.models import ModelAnswer, ModelRequest

#: Told each piece of a text as it comes.
OnText = Callable[[str], None]


class ModelClient(Protocol):
    """
    Calls models at their providers, over the guarded way out.

    It never repeats a call by itself: whoever asks knows the budget, the time and the journal.
    """

    async def ask(
        self,
        request: ModelRequest,
        credentials: Credentials | None,
        *,
        key: str,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        """
        Return the answer of the model that *request* names.

        Args:
            credentials: None: those of the operator for the model's provider, if there are any.
            key: The same for every repetition of the same call; sent where the provider takes one.
            on_text: Given, the answer is streamed, and each piece told at once.

        Raises:
            NotFound: If the registry knows no such model and the request names no address.
            NotConfigured: If nobody has given credentials and the provider wants some.
            WebClientError: If the provider refused the request, with its words and status.
            ModelLimited: If it asks to wait (429, 503 or 529 with or without Retry-After).
            WebServerError, WebFailed, WebTimedOut: If it failed, or gave no usable answer.
            WebRefused: If the address may not be called from here.
        """

    async def aclose(self) -> None:
        """Close all connections. Twice is harmless."""
