"""Plays Replicate: a prediction is done at the first look, unless it is told to take longer."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_PICTURE: Final = ["https://example.com/picture.webp"]
_MUSIC: Final = "https://example.com/music.wav"
_FILE: Final = "https://api.replicate.com/v1/files/f1"
#: Runs by its version alone, as models do that nobody keeps running.
_COLD: Final = "/models/meta/musicgen"


class Replicate:
    """*begun*: the predictions, by id. *looks*: how often one that is not done is looked at."""

    def __init__(self) -> None:
        self.looks = 0
        self.begun: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Reply:
        """Answer as version 1 of its API does."""
        if not asked.has_bearer:
            words = "You did not pass a valid authentication token"
            return Reply(status=401, value={"title": "Unauthenticated", "detail": words})
        if asked.method == "POST":
            return self._posted(asked)
        if asked.path == _COLD:
            return Reply(value={"name": "musicgen", "latest_version": {"id": "m1"}})
        found = self.begun.get(asked.path.rpartition("/")[2])
        if found is None:
            return _missing()
        if self.looks > 0:
            self.looks -= 1
            return Reply(value={**found, "status": "processing"})
        if "/me/broken/" in found["path"]:
            return Reply(value={**found, "status": "failed", "error": "No memory left"})
        return Reply(value={**found, "status": "succeeded", "output": _output(found)})

    def _posted(self, asked: Asked) -> Reply:
        if asked.path == "/files":
            return Reply(status=201, value={"id": "f1", "urls": {"get": _FILE}})
        if asked.path.startswith(_COLD):
            return _missing()
        name = f"p{len(self.begun)}"
        told = {"version": asked.json().get("version"), "input": asked.json()["input"]}
        self.begun[name] = {"id": name, "status": "starting", "path": asked.path, **told}
        return Reply(status=201, value=self.begun[name])


def _output(begun: dict[str, Any]) -> Any:
    if begun["version"] == "m1":
        return _MUSIC
    return ["Hello ", "yourself"] if "/llama/" in begun["path"] else _PICTURE


def _missing() -> Reply:
    return Reply(status=404, value={"detail": "The requested resource could not be found."})
