"""Plays YouTube, which has two videos: one with captions, one without."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply, html, text

_KEY: Final = "stand-in-innertube"
_CAPTIONS: Final = (
    '<?xml version="1.0" encoding="utf-8" ?><transcript>'
    '<text start="0" dur="1.5">Never &lt;i&gt;gonna&lt;/i&gt; give</text>'
    '<text start="1.5" dur="1">you &amp;amp; me up</text><text start="2.5" dur="1"> </text>'
    "</transcript>"
)


class YouTube:
    """Answers as its pages, its player and its captions do."""

    def answer(self, asked: Asked) -> Reply:
        """Return the answer."""
        match asked.method, asked.path:
            case "GET", "/watch":
                return html(f'<script>ytcfg.set({{"INNERTUBE_API_KEY":"{_KEY}"}})</script>')
            case "POST", "/youtubei/v1/player" if asked.one("key") == _KEY:
                return Reply(value=_player(asked.json()["videoId"]))
            case "GET", "/api/timedtext" if asked.one("lang") == "en" and not asked.one("fmt"):
                return text(_CAPTIONS, media_type="text/xml")
            case _:
                return html("not found", status=404)


def _player(video: str) -> dict[str, Any]:
    if video != "dQw4w9WgXcQ":
        return {"playabilityStatus": {"status": "OK"}}
    at = f"https://www.youtube.com/api/timedtext?v={video}&fmt=srv3&lang="
    tracks = [
        {"baseUrl": f"{at}de", "languageCode": "de"},
        {"baseUrl": f"{at}en-machine", "languageCode": "en", "kind": "asr"},
        {"baseUrl": f"{at}en", "languageCode": "en"},
    ]
    return {
        "playabilityStatus": {"status": "OK"},
        "captions": {"playerCaptionsTracklistRenderer": {"captionTracks": tracks}},
    }
