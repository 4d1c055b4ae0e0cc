"""Files: sending one before a run needs it."""

import re
from typing import Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from backend.api.answers import answer
from backend.api.auditing import NotAudited
from backend.api.context import caller_of, context_of
from backend.api.multipart import FormFile, file_in
from backend.api.routing import PREFIX, PlainUserRoute, Routes
from backend.core.errors import BadRequest
from backend.services.files import Upload

UPLOAD: Final = f"{PREFIX}/files/upload"
#: The only provider that clients of the contract name; where files really lie is our affair.
_PROVIDER: Final = "gcs"
_HOURS: Final = "24"
_WHOLE_NUMBER: Final = re.compile("-?[0-9]{1,9}")


def add_file_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "POST",
        UPLOAD,
        upload_file,
        operation="postV1Upload file to cloud storage",
        tags=("v1", "files"),
        route_class=PlainUserRoute,
        audit=NotAudited("a file is its own record, and goes with the run that uses it"),
    )


async def upload_file(request: Request) -> Response:
    """Keep the file of the form for some hours; return the reference by which a run takes it."""
    hours = _hours(request)
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    form_file = await _form_file(request)
    upload = Upload(name=form_file.name, media_type=form_file.media_type, content=form_file.content)
    try:
        stored = await context.files.keep(user_id, upload, hours=hours)
    except BadRequest as exc:
        # Of this route the contract has plain texts and 400 for all of them, sizes too.
        raise HTTPException(400, str(exc)) from exc
    return answer(
        {
            "file_uri": stored.reference,
            "file_name": stored.name,
            "size": stored.size_bytes,
            "content_type": stored.media_type,
            "expires_in_hours": hours,
        }
    )


async def _form_file(request: Request) -> FormFile:
    try:
        found = await file_in(request, "file")
    except BadRequest as exc:
        raise HTTPException(400, str(exc)) from exc
    if found is None:
        missing = {"type": "missing", "loc": ("body", "file"), "msg": "Field required"}
        raise RequestValidationError([{**missing, "input": None}])
    return found


def _hours(request: Request) -> int:
    provider = request.query_params.get("provider", _PROVIDER)
    if provider != _PROVIDER:
        raise HTTPException(400, f"There is no provider {provider[:60]!r}: leave it out")
    hours = request.query_params.get("expiration_hours", _HOURS)
    if not _WHOLE_NUMBER.fullmatch(hours):
        wrong = {"type": "int_parsing", "loc": ("query", "expiration_hours"), "input": hours[:60]}
        raise RequestValidationError([{**wrong, "msg": "Input should be a valid integer"}])
    return int(hours)
