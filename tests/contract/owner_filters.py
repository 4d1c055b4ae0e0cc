"""Storage without an owner: takes the filter by user out of one function's statements."""

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from threading import local
from types import ModuleType
from typing import Any, Final, Self

from sqlalchemy import Engine, event

from backend.adapters import storage

_FILTER: Final = re.compile(r"\b((?:\w+\.)?user_id = (?:\?|:\w+))")


class Filters:
    """
    Wraps every function of storage that takes a connection and a user.

    Attributes:
        met: Functions that a statement with an owner filter was run in, since this was cleared.
    """

    def __init__(self) -> None:
        self.met: set[str] = set()
        self._without = ""
        self._running = local()
        self._wrapped: list[tuple[ModuleType, str, Callable[..., Any]]] = []

    def __enter__(self) -> Self:
        for module, name, function in _functions():
            self._wrapped.append((module, name, function))
            setattr(module, name, self._wrap(f"{module.__name__.rsplit('.')[-1]}.{name}", function))
        event.listen(Engine, "before_cursor_execute", self._on_statement, retval=True)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._on_statement)
        for module, name, function in self._wrapped:
            setattr(module, name, function)

    @contextmanager
    def without(self, function: str) -> Iterator[None]:
        """Let a function, and what it calls, look for everybody's rows."""
        self._without = function
        try:
            yield
        finally:
            self._without = ""

    def _stack(self) -> list[str]:
        found: list[str] = self._running.__dict__.setdefault("stack", [])
        return found

    def _wrap(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._stack().append(label)
            try:
                return function(*args, **kwargs)
            finally:
                self._stack().pop()

        return wrapped

    def _on_statement(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        stack = self._stack()
        if stack and _FILTER.search(statement):
            self.met.update(stack)
            if self._without in stack:
                statement = _FILTER.sub(r"(\1 OR 1 = 1)", statement)
        return statement, parameters


def _functions() -> Iterator[tuple[ModuleType, str, Callable[..., Any]]]:
    for found in pkgutil.iter_modules(storage.__path__, f"{storage.__name__}."):
        module = import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ != module.__name__:
                continue
            parameters = inspect.signature(function).parameters
            if "connection" in parameters and "user_id" in parameters:
                yield module, name, function
