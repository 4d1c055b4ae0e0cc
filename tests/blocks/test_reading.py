"""Pages, feeds and captions of strangers are read within bounds, and cannot make us do more."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend.blocks.jina.extract_website_content import ExtractWebsiteContentBlock
from backend.blocks.jina.reader import MAX_NODES, page_of
from backend.blocks.rss.feed import entries_of
from backend.blocks.rss.read_feed import ReadRSSFeedBlock
from backend.blocks.youtube.transcribe_video import TranscribeYoutubeVideoBlock
from backend.blocks.youtube.transcript import video_id
from backend.core.errors import BlockError, TooLarge, WebClientError
from backend.sdk import BlockContext, make_inputs
from backend.testing.blocks import MOMENT, outputs_of
from backend.testing.standin import Reply, StandIn, html, text

HERE = "https://example.com/docs/"
FEED = """<rss version="2.0"><channel><title>t</title><item><title>{}</title><guid>{}</guid>
<pubDate>Sat, 31 Jan 2026 13:00:00 GMT</pubDate></item></channel></rss>"""


@pytest.mark.parametrize(
    ("page", "markdown"),
    [
        ("<h1>A</h1><h2>B</h2><ul><li>x<ul><li>y</li></ul></li></ul>",
         "# A\n\n## B\n\n- x\n  - y"),
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ("<p>see <a href='../x'>x</a> and <a href='javascript:no()'>y</a></p>",
         "see [x](https://example.com/x) and y"),
        ("<img src='p.png' alt='P'><img src='data:image/png;base64,AA'>",
         "![P](https://example.com/docs/p.png)"),
        ("<script>a</script><style>b</style><nav>c</nav><iframe>d</iframe><b hidden>e</b>f", "f"),
        ("<header>a</header><main>" + "word " * 50 + "</main><footer>b</footer>",
         ("word " * 50).strip()),
        ("", ""),
    ],
)  # fmt: skip
def test_a_page_becomes_markdown(page: str, markdown: str) -> None:
    assert page_of(page, HERE)["markdown"] == markdown


def test_what_lies_deep_in_a_page_is_kept_as_text() -> None:
    page = "<div>" * 300 + "deep <b>down</b>" + "</div>" * 300 + "<p>after</p>"

    assert page_of(page, HERE)["markdown"] == "deep down\n\nafter"


@pytest.mark.parametrize(
    "page",
    ["<div>" * 100_000, "<i>" * 2_000 + "</i>" * 2_000, "<br>" * (MAX_NODES + 1)],
    ids=["never closed", "closed", "wide"],
)
def test_a_page_that_would_take_for_ever_is_refused(page: str) -> None:
    with pytest.raises(TooLarge, match="the page has more than"):
        page_of(page, HERE)


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        (Reply(body="Grüße".encode("latin-1"), media_type="text/html; charset=iso-8859-1"),
         "Grüße"),
        (Reply(body='<meta charset="iso-8859-1">Grüße'.encode("latin-1"), media_type="text/html"),
         "Grüße"),
        (Reply(body=b'<meta charset="hex">plain', media_type="text/html"), "plain"),
    ],
)  # fmt: skip
async def test_a_page_is_read_in_its_own_charset(
    reply: Reply, content: str, services: StandIn, played: BlockContext
) -> None:
    services.next("example.com", reply)

    [(_, found)] = await outputs_of(ExtractWebsiteContentBlock(), {"url": "example.com/x"}, played)

    assert found.endswith(f"Markdown Content:\n{content}")


async def test_an_address_inside_is_refused_by_the_guard(played: BlockContext) -> None:
    with pytest.raises(BlockError, match="is not played here"):
        await outputs_of(ExtractWebsiteContentBlock(), {"url": "http://127.0.0.1/"}, played)


@pytest.mark.parametrize(
    "feed",
    [
        '<!DOCTYPE r [<!ENTITY a "b">]>' + FEED.format("&a;", 1),
        '<!DOCTYPE r [<!entity a SYSTEM "file:///etc/passwd">]>' + FEED.format("&a;", 1),
    ],
)
def test_a_feed_with_entities_is_refused(feed: str) -> None:
    with pytest.raises(ValueError, match="defines entities"):
        entries_of(feed)


@pytest.mark.parametrize(
    "feed", ["", "/etc/passwd", "https://example.com/feed.xml", "<html></html>"]
)
def test_a_feed_that_is_none_is_neither_opened_nor_fetched(feed: str) -> None:
    with pytest.raises(ValueError, match="no feed"):
        entries_of(feed)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between two looks."""
    monkeypatch.setattr(ReadRSSFeedBlock, "soonest_s", 0.0)


@pytest.mark.usefixtures("eager")
async def test_a_feed_is_looked_at_again_and_each_entry_comes_once(
    services: StandIn, played: BlockContext
) -> None:
    answers = [FEED.format("one", 1), FEED.format("one", 1), FEED.format("two", 2)]
    services.next("example.com", *map(text, answers), html("", status=404))
    inputs = make_inputs(ReadRSSFeedBlock, {"rss_url": HERE, "polling_rate": 0, "time_period": 60})
    context = replace(played, address="backend.blocks.rss.read_feed:ReadRSSFeedBlock")
    outputs: list[tuple[str, Any]] = []

    async def all_looks() -> None:
        async for output in ReadRSSFeedBlock().run(inputs, context):
            outputs.append(output)  # noqa: PERF401 - what came before the failure counts

    with pytest.raises(WebClientError, match="status 404"):
        await all_looks()

    assert [(pin, value["title"]) for pin, value in outputs if pin == "entry"] == [
        ("entry", "one"),
        ("entry", "two"),
    ]
    assert [len(value) for pin, value in outputs if pin == "entries"] == [1, 1]


async def test_looking_again_ends_some_time(services: StandIn, played: BlockContext) -> None:
    services.next("example.com", text(FEED.format("one", 1)))
    later = replace(
        played,
        now=lambda: MOMENT + timedelta(hours=24),
        started_us=int(MOMENT.timestamp() * 1e6),
    )

    outputs = await outputs_of(ReadRSSFeedBlock(), {"rss_url": HERE, "polling_rate": 0}, later)

    assert [pin for pin, _ in outputs] == ["entry", "entries"]


@pytest.mark.parametrize(
    "address",
    [
        "dQw4w9WgXcQ",
        "https://www.youtube.com/watch?list=x&v=dQw4w9WgXcQ",
        "youtu.be/dQw4w9WgXcQ?si=1",
        "https://m.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        "https://youtube.com/live/dQw4w9WgXcQ/",
    ],
)
def test_a_video_is_known_by_each_of_its_addresses(address: str) -> None:
    assert video_id(address) == "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "address", ["", "https://youtube.com/", "https://youtube.com.example.com/watch?v=dQw4w9WgXcQ"]
)
def test_an_address_of_no_video_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="no address of a video"):
        video_id(address)


async def test_captions_with_entities_are_refused(services: StandIn, played: BlockContext) -> None:
    page = html('{"INNERTUBE_API_KEY":"stand-in-innertube"}')
    at = "https://elsewhere.example.com/api/timedtext?lang=en"
    tracks = {"captionTracks": [{"baseUrl": at, "languageCode": "en"}]}
    player = Reply(value={"captions": {"playerCaptionsTracklistRenderer": tracks}})
    bomb = text('<!DOCTYPE t [<!ENTITY a "b">]><transcript><text>&a;</text></transcript>')
    services.next("youtube", page, player, bomb)

    with pytest.raises(BlockError, match="document type are refused"):
        await outputs_of(TranscribeYoutubeVideoBlock(), {"youtube_url": "dQw4w9WgXcQ"}, played)

    # Whatever host the player names, only the service itself is asked.
    assert [asked.path for asked in services.asked][-1] == "/api/timedtext"
