"""The external API's application. It is mounted in the REST one, whose border and limits it has."""

from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from backend.api.external.blocks import add_block_routes
from backend.api.external.errors import add_error_handlers
from backend.api.external.graphs import add_graph_routes
from backend.api.external.integrations import add_integration_routes
from backend.api.external.me import add_me_routes
from backend.api.external.routing import ExternalRoutes

PATH: Final = "/external-api"


class ExternalApplication(FastAPI):
    """FastAPI without what catches everything: the REST application's border does, and logs it."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return what a request passes."""
        stack: Any = super().build_middleware_stack()
        # The outermost part would answer an unexpected error and raise it as well.
        inner: ASGIApp = stack.app
        return inner

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made when somebody first asks."""
        if self.openapi_schema is None:
            from backend.api.external.documentation import document  # noqa: PLC0415 - see above

            self.openapi_schema = document(self)
        return self.openapi_schema


def external_app() -> ExternalApplication:
    """Return the application with its routes; its state still wants a context."""
    app = ExternalApplication(
        title="agpt-server, external API", redoc_url=None, strict_content_type=False
    )
    routes = ExternalRoutes(app.router)
    add_graph_routes(routes)
    add_block_routes(routes)
    add_integration_routes(routes)
    add_me_routes(routes)
    add_error_handlers(app)
    return app
