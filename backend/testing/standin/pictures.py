"""Plays Ideogram, and OpenAI where it makes pictures."""

import base64
import json
from email import message_from_bytes
from typing import Any, Final

from backend.testing.standin.messages import KEY, Asked, Reply

#: The smallest there is, as far as anybody here looks.
PNG: Final = b"\x89PNG\r\n\x1a\n"


def form_of(asked: Asked) -> list[tuple[str, str, bytes]]:
    """Return the parts of a multipart form: name, file name, content."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + asked.body).get_payload()
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename() or "",
            part.get_payload(decode=True),
        )
        for part in parts
    ]


def fields_of(asked: Asked) -> dict[str, Any]:
    """Return what a request says, in JSON or in a form."""
    if asked.headers.get("content-type", "").startswith("multipart/"):
        return {name: content.decode() for name, file, content in form_of(asked) if not file}
    return dict(asked.json())


class OpenAi:
    """Makes the smallest picture of anything."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as its image API does."""
        if not asked.has_bearer:
            words = "Incorrect API key provided"
            return Reply(status=401, value={"error": {"message": words, "type": "invalid"}})
        if asked.path not in ("/images/generations", "/images/edits"):
            return Reply(status=404, value={"error": {"message": "Unknown request URL"}})
        if fields_of(asked)["model"] == "no-such-model":
            return Reply(status=400, value={"error": {"message": "The model does not exist"}})
        picture = base64.b64encode(PNG).decode()
        return Reply(value={"created": 1767225600, "data": [{"b64_json": picture}]})


class Ideogram:
    """Makes the same picture of anything that is safe."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does, the newest and the older one."""
        if asked.headers.get("api-key") != KEY:
            return Reply(status=401, value={"error": "Unauthorized"})
        told = fields_of(asked)
        match asked.path:
            case "/upscale":
                json.loads(told["image_request"])
                return _made("https://example.com/large.png", "")
            case "/generate":
                told = told["image_request"]
            case "/v1/ideogram-v3/generate":
                pass
            case _:
                return Reply(status=404, value={"error": "Not found"})
        return _made("https://example.com/picture.png", told["prompt"])


def _made(url: str, prompt: str) -> Reply:
    is_safe = prompt != "unsafe"
    row = {"url": url if is_safe else None, "prompt": prompt, "is_image_safe": is_safe}
    return Reply(value={"created": "2026-01-31T00:00:00Z", "data": [row]})
