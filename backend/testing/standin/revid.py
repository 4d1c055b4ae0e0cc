"""Plays RevID: a video is done at the first look, unless it is told to take longer."""

from typing import Any

from backend.testing.standin.messages import KEY, Asked, Reply


class RevId:
    """*begun*: what was asked for, by id. *looks*: how often a video that is not done is looked at."""

    def __init__(self) -> None:
        self.looks = 0
        self.begun: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Reply:
        """Answer as version 2 of its API does."""
        if asked.headers.get("key") != KEY:
            return Reply(status=401, value={"error": "Invalid API key"})
        match asked.method, asked.path:
            case "POST", "/render":
                name = f"v{len(self.begun)}"
                self.begun[name] = asked.json()["creationParams"]
                return Reply(value={"success": 1, "pid": name})
            case "GET", "/status" if asked.one("pid") in self.begun:
                return self._status(self.begun[asked.one("pid")])
            case _:
                return Reply(status=404, value={"error": "No such project"})

    def _status(self, wanted: dict[str, Any]) -> Reply:
        if self.looks > 0:
            self.looks -= 1
            return Reply(value={"status": "building"})
        if wanted["inputText"] == "broken":
            return Reply(value={"status": "error", "error": "No pictures found"})
        return Reply(value={"status": "ready", "videoUrl": "https://example.com/video.mp4"})
