"""The REST application: routes, errors and what every request passes, put together."""

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from backend.api.context import Context
from backend.api.errors import add_error_handlers
from backend.api.external.app import PATH as EXTERNAL
from backend.api.external.app import ExternalApplication, external_app
from backend.api.mcp.endpoint import mcp_route
from backend.api.middleware import BodyLimit, Border
from backend.api.pages import OwnPages
from backend.api.routes.alerts import add_alert_routes
from backend.api.routes.api_keys import add_api_key_routes
from backend.api.routes.audit import add_audit_routes
from backend.api.routes.auth import add_auth_routes
from backend.api.routes.blocks import add_block_routes
from backend.api.routes.budgets import add_budget_routes
from backend.api.routes.builder import add_builder_routes
from backend.api.routes.chat import add_chat_routes
from backend.api.routes.credits import add_credit_routes
from backend.api.routes.deliveries import add_delivery_routes
from backend.api.routes.executions import add_execution_routes
from backend.api.routes.files import UPLOAD, add_file_routes
from backend.api.routes.graphs import add_graph_routes
from backend.api.routes.health import add_health_routes
from backend.api.routes.integrations import add_integration_routes
from backend.api.routes.jobs import add_job_routes
from backend.api.routes.library import add_library_routes
from backend.api.routes.notices import add_notice_routes
from backend.api.routes.notifications import add_notification_routes
from backend.api.routes.oauth import add_oauth_routes
from backend.api.routes.onboarding import add_onboarding_routes
from backend.api.routes.parked import add_parked_routes
from backend.api.routes.preferences import add_preference_routes
from backend.api.routes.presets import add_preset_routes
from backend.api.routes.reviews import add_review_routes
from backend.api.routes.schedules import add_schedule_routes
from backend.api.routes.sharing import add_sharing_routes
from backend.api.routes.users import add_user_routes
from backend.api.routes.webhooks import add_webhook_routes
from backend.api.routes.workspace import add_workspace_routes
from backend.api.routing import Routes

#: Answers from this size on are compressed (spec/contract.md 3.3).
_COMPRESSED_FROM_BYTES: Final = 50_000
DEFAULT_BODY_LIMIT_BYTES: Final = 10 * 1024 * 1024
_TWINS: Final = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}


class RestApplication(FastAPI):
    """FastAPI, with the contract's names in its documentation, and the external API below it."""

    external: ExternalApplication

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made when somebody first asks."""
        if self.openapi_schema is None:
            # The models of answers are built for this alone: they would slow every start.
            from backend.api.documentation import document  # noqa: PLC0415

            self.openapi_schema = document(self)
        return self.openapi_schema


def create_app(
    context: Context,
    *,
    version: str,
    cors_origins: Sequence[str] = ("http://localhost:3000",),
    body_limit_bytes: int = DEFAULT_BODY_LIMIT_BYTES,
    show_docs: bool = True,
    everybody_is_owner: bool = False,
) -> FastAPI:
    """
    Return the REST application. It opens nothing and starts nothing.

    *cors_origins* are exact origins, or ``regex:`` and a pattern; an origin on localhost stands
    for its twin on 127.0.0.1 too. *show_docs* serves the pages that try routes out.
    *everybody_is_owner* says that sign-in is off: then pages of others are kept out here.
    """
    app = _prepared.pop() if _prepared else _with_routes()
    app.version = version
    app.external.version = version
    app.state.context = app.external.state.context = context
    if not show_docs:
        pages = [route for route in app.router.routes if getattr(route, "path", "") in _DOCS]
        for page in pages:
            app.router.routes.remove(page)
    # The last one added stands outermost.
    # An upload is never held in memory, and has a limit of its own.
    app.add_middleware(BodyLimit, limit_bytes=body_limit_bytes, exempt=frozenset({UPLOAD}))
    if everybody_is_owner:
        app.add_middleware(OwnPages, allowed=cors_origins)
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM_BYTES)
    app.add_middleware(
        CORSMiddleware,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        **_origins(cors_origins),
    )
    app.add_middleware(Border)
    return app


#: Pages that try routes out.
_DOCS: Final = ("/docs", "/docs/oauth2-redirect")
#: An application with its routes that nobody has taken yet; see `prepare`.
_prepared: list[RestApplication] = []


def prepare() -> None:
    """
    Make the routes ahead of the application that `create_app` returns next in this process.

    For the process from which services are forked: what is made here is shared, and costs no time
    when a service starts.
    """
    if not _prepared:
        _prepared.append(_with_routes())


def _with_routes() -> RestApplication:
    app = RestApplication(
        title="agpt-server",
        redoc_url="/redoc",
        # A client that forgets to say that its body is JSON is understood, as it always was.
        strict_content_type=False,
    )
    routes = Routes(app.router)
    add_execution_routes(routes)
    add_graph_routes(routes)
    add_schedule_routes(routes)
    add_library_routes(routes)
    add_builder_routes(routes)
    add_credit_routes(routes)
    add_budget_routes(routes)
    add_alert_routes(routes)
    add_onboarding_routes(routes)
    add_preference_routes(routes)
    add_notification_routes(routes)
    add_sharing_routes(routes)
    add_preset_routes(routes)
    add_webhook_routes(routes)
    add_delivery_routes(routes)
    add_integration_routes(routes)
    add_review_routes(routes)
    add_chat_routes(routes)
    add_block_routes(routes)
    add_file_routes(routes)
    add_workspace_routes(routes)
    add_user_routes(routes)
    add_audit_routes(routes)
    add_job_routes(routes)
    add_parked_routes(routes)
    add_notice_routes(routes)
    add_api_key_routes(routes)
    add_oauth_routes(routes)
    add_auth_routes(routes)
    add_health_routes(routes)
    add_error_handlers(app)
    app.external = external_app()
    app.router.routes.append(mcp_route())
    # The last one: nobody but who means it is looked for there.
    app.mount(EXTERNAL, app.external)
    return app


def _origins(origins: Sequence[str]) -> dict[str, Any]:
    """Return what the CORS middleware is told, with the twins of local addresses."""
    exact = [origin for origin in origins if not origin.startswith("regex:")]
    patterns = [origin.removeprefix("regex:") for origin in origins if origin.startswith("regex:")]
    for origin in list(exact):
        parts = urlsplit(origin)
        twin = _TWINS.get(parts.hostname or "")
        if twin is not None:
            port = f":{parts.port}" if parts.port else ""
            exact.append(urlunsplit(parts._replace(netloc=twin + port)))
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return {
        "allow_origins": list(dict.fromkeys(exact)),
        "allow_origin_regex": re.compile(joined).pattern if joined else None,
    }
