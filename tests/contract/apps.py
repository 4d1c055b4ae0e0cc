"""Applications for tests. Their routes are made once: that takes longer than most tests."""

from copy import copy
from functools import cache
from typing import TypeVar

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.routing import Mount

from backend.api import asgi
from backend.api.asgi import RestApplication
from backend.api.context import Context
from backend.api.external.app import PATH

A = TypeVar("A", bound=FastAPI)


def new_app(context: Context, **options: object) -> FastAPI:
    """Return what `create_app` does; only its routes are those of the applications before it."""
    asgi._prepared[:] = [_with_routes()]
    return asgi.create_app(context, version="0.0.0", **options)  # type: ignore[arg-type] # passed on


@cache
def _made() -> RestApplication:
    asgi.prepare()
    return asgi._prepared.pop()


def _with_routes() -> RestApplication:
    app, external = _apart(_made()), _apart(_made().external)
    app.external = external
    app.router.routes[:] = [
        Mount(PATH, external) if isinstance(route, Mount) else route for route in app.router.routes
    ]
    return app


def _apart(app: A) -> A:
    """Return *app* with nothing of its own shared but the routes themselves."""
    again = copy(app)
    again.state, again.middleware_stack = State(), None
    again.user_middleware = list(app.user_middleware)
    again.exception_handlers = dict(app.exception_handlers)
    again.router = copy(app.router)
    again.router.routes = list(app.router.routes)
    again.router.middleware_stack = again.router.app
    return again
