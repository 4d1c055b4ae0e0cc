"""Answers as JSON, written once and straight: what goes out was made by backend.api.wire."""

from typing import Any

from fastapi import Response

from backend.core import json


class JsonAnswer(Response):
    """An answer whose body is ready."""

    media_type = "application/json"


def answer(value: Any, status: int = 200) -> Response:
    """Return *value* as the body of an answer."""
    return JsonAnswer(json.dumps(value), status_code=status)
