"""How a transcript is had from YouTube: the page of a video, its player, then one track of captions."""

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from xml.parsers.expat import ExpatError, ParserCreate

from backend.sdk import JsonObject
from backend.sdk.services import Service, ServiceCalls

YOUTUBE: Final = Service(
    provider="youtube",
    name="YouTube",
    url="https://www.youtube.com",
    # Else visitors from some countries get a page that asks for consent.
    always={"Cookie": "CONSENT=YES+", "Accept-Language": "en-US"},
)
_KEY: Final = re.compile(r'"INNERTUBE_API_KEY":\s*"([A-Za-z0-9_-]{10,100})"')
_ID: Final = re.compile(r"[A-Za-z0-9_-]{11}")
#: The player answers with captions to an app; a browser would have to prove that it is one.
_CLIENT: Final[JsonObject] = {"client": {"clientName": "ANDROID", "clientVersion": "20.10.38"}}
_MARKUP: Final = re.compile(r"<[^<>]{0,100}>")


def video_id(address: str) -> str:
    """
    Return the id of the video at *address*: a page, a short address, a player, or the id alone.

    Raises:
        ValueError: If it names none.
    """
    text = address.strip()
    if _ID.fullmatch(text):
        return text
    parts = urlsplit(text if "://" in text else f"https://{text}")
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("music.")
    steps = [step for step in parts.path.split("/") if step]
    found = ""
    if host == "youtu.be" and steps:
        found = steps[0]
    elif host in ("youtube.com", "youtube-nocookie.com"):
        if steps[:1] == ["watch"]:
            found = parse_qs(parts.query).get("v", [""])[0]
        elif len(steps) > 1 and steps[0] in ("embed", "v", "shorts", "live", "e"):
            found = steps[1]
    if not _ID.fullmatch(found):
        raise ValueError(f"{text[:200]!r} is no address of a video at YouTube")
    return found


async def transcript_of(video: str, calls: ServiceCalls) -> str:
    """
    Return what is said in *video*, a line for each caption.

    In English if there is such a track, else in the first language that there is; one that people
    wrote before one that a machine made.

    Raises:
        ValueError: If the video cannot be watched, or has no captions.
        Unavailable: If YouTube does not answer, or not as it should.
    """
    page = await calls.send("GET", "watch", query={"v": video})
    key = _KEY.search(page.text())
    if key is None:
        raise calls.nonsense("the page of the video does not lead to its player")
    player = await calls.object(
        "POST",
        "youtubei/v1/player",
        query={"key": key[1]},
        value={"context": _CLIENT, "videoId": video},
    )
    track = _track(player)
    query = {name: values[0] for name, values in parse_qs(urlsplit(track).query).items()}
    query.pop("fmt", None)
    captions = await calls.send("GET", "api/timedtext", query=query)
    try:
        return "\n".join(_lines(captions.content))
    except ExpatError as exc:
        raise calls.nonsense("the captions are no XML") from exc


def _track(player: Mapping[str, Any]) -> str:
    status = player.get("playabilityStatus")
    if isinstance(status, dict) and status.get("status") not in (None, "OK"):
        raise ValueError(f"this video cannot be watched: {str(status.get('reason'))[:200]}")
    try:
        tracks = player["captions"]["playerCaptionsTracklistRenderer"]["captionTracks"]
        best = min(tracks, key=_rank)
        return str(best["baseUrl"])
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise ValueError("this video has no captions") from exc


def _rank(track: Mapping[str, Any]) -> tuple[bool, bool]:
    return not str(track.get("languageCode")).startswith("en"), track.get("kind") == "asr"


def _lines(content: bytes) -> Iterator[str]:
    """Yield the text of each caption. Document types are refused: they could define entities."""
    texts: list[list[str]] = []
    parser = ParserCreate()
    parser.buffer_text = True

    def start(name: str, _: object) -> None:
        if name in ("text", "p"):
            texts.append([])

    def characters(text: str) -> None:
        if texts:
            texts[-1].append(text)

    def refuse(*_: object) -> None:
        raise ValueError("captions with a document type are refused")

    parser.StartElementHandler = start
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)
    for parts in texts:
        # Captions are HTML inside of XML.

        line = " ".join(_MARKUP.sub("", unescape("".join(parts))).split())
        if line:
            yield line
