"""Blocks that call a service say what it said, whatever it says, and tell nobody their key."""

from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.build_index import discover
from backend.blocks.jina.search_the_web import SearchTheWebBlock
from backend.core.catalog import Catalog
from backend.core.errors import (
    BlockError,
    NotConfigured,
    ServiceLimited,
    Unavailable,
    WebClientError,
)
from backend.core.graph import Graph, Node
from backend.core.graph_check import check_graph
from backend.core.graph_schema import credentials_input_schema
from backend.core.ids import BlockId, GraphId, NodeId
from backend.sdk import Block, BlockContext, Effect, spec_of
from backend.testing.blocks import outputs_of
from backend.testing.standin import BROKEN, GARBAGE, KEY, LIMITED, Reply, StandIn

STORY = {
    "title": "Hello",
    "content": "# Hello",
    "content_format": "markdown",
    "tags": [],
    "publish_status": "draft",
}
POST = {"site": "ann.example.com", "title": "Hello", "content": "Hello"}
ROWS = {"base_id": "app1", "table_id_or_name": "People", "records": [{"Name": "Ann"}]}
PEOPLE = {"base_id": "app1", "table_id_or_name": "People"}
CHANNEL = {"channel_identifier": "1000000000000000011"}
CATS = {"repo_url": "ann/cats"}
BOOK = {"id": "book", "_credentials_id": "mine"}
#: A call of each block that calls a service, by the name of the block: provider and inputs.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "GetWikipediaSummaryBlock": ("wikipedia", {"topic": "Ada Lovelace"}),
    "GetWeatherInformationBlock": ("openweathermap", {"location": "Oslo"}),
    "SearchTheWebBlock": ("jina", {"query": "cats"}),
    "SendDiscordMessageBlock": ("discord", {"message_content": "Hi", "channel_name": "general"}),
    "ReadDiscordMessagesBlock": ("discord", {}),
    "GmailReadBlock": ("google", {}),
    "GmailSendBlock": ("google", {"to": ["bob@example.com"], "subject": "x", "body": "x"}),
    "GmailForwardBlock": ("google", {"messageId": "m1", "to": ["bob@example.com"]}),
    "GmailCreateDraftBlock": ("google", {"to": ["bob@example.com"], "subject": "x", "body": "x"}),
    "GmailGetThreadBlock": ("google", {"threadId": "t1"}),
    "GmailGetProfileBlock": ("google", {}),
    "GoogleSheetsReadBlock": ("google", {"spreadsheet": BOOK, "range": "A1"}),
    "GoogleSheetsShareSpreadsheetBlock": ("google", {"spreadsheet": BOOK}),
    "GoogleSheetsCreateSpreadsheetBlock": ("google", {"title": "x"}),
    "GoogleSheetsLookupRowBlock": (
        "google",
        {"spreadsheet": BOOK, "lookup_column": "A", "lookup_value": "x"},
    ),
    "GoogleCalendarReadEventsBlock": ("google", {}),
    "GoogleCalendarCreateEventBlock": ("google", {"event_title": "x"}),
    "GithubMakeIssueBlock": ("github", {**CATS, "title": "x", "body": "x"}),
    "GithubListBranchesBlock": ("github", CATS),
    "GithubReadFileBlock": ("github", {**CATS, "file_path": "a"}),
    "GithubReadFolderBlock": ("github", {**CATS, "folder_path": "a"}),
    "GithubListDiscussionsBlock": ("github", CATS),
    "GithubGetCIResultsBlock": ("github", {"repo": "ann/cats", "target": "main"}),
    "GithubListPRReviewsBlock": ("github", {"repo": "ann/cats", "pr_number": 2}),
    "GithubAssignPRReviewerBlock": (
        "github",
        {"pr_url": "https://github.com/ann/cats/pull/2", "reviewer": "bob"},
    ),
    "GetRedditPostsBlock": ("reddit", {"subreddit": "cats"}),
    "PostRedditCommentBlock": ("reddit", {"post_id": "p1", "comment": "x"}),
    "GetRedditPostCommentsBlock": ("reddit", {"post_id": "p1"}),
    "GetRedditUserInfoBlock": ("reddit", {"username": "ann"}),
    "GetSubredditFlairsBlock": ("reddit", {"subreddit": "cats"}),
    "SearchOrganizationsBlock": ("apollo", {}),
    "SearchPeopleBlock": ("apollo", {"q_keywords": "cat"}),
    "GetPersonDetailBlock": ("apollo", {"name": "Ann Cat"}),
    "LinearCreateCommentBlock": ("linear", {"issue_id": "CAT-1", "comment": "x"}),
    "LinearSearchIssuesBlock": ("linear", {"term": "purr"}),
    "NotionReadPageMarkdownBlock": ("notion", {"page_id": "0" * 32}),
    "NotionCreatePageBlock": ("notion", {"parent_page_id": "0" * 32, "title": "x"}),
    "NotionReadDatabaseBlock": ("notion", {"database_id": "0" * 32}),
    "NotionSearchBlock": ("notion", {}),
    "GoogleMapsSearchBlock": ("google_maps", {"query": "Bakery in Oslo"}),
    "AIImageGeneratorBlock": ("replicate", {"prompt": "A cat"}),
    "AIImageCustomizerBlock": ("replicate", {"prompt": "A cat"}),
    "AIImageEditorBlock": ("replicate", {"prompt": "A cat"}),
    "AIMusicGeneratorBlock": ("replicate", {"prompt": "A cat"}),
    "IdeogramModelBlock": ("ideogram", {"prompt": "A cat"}),
    "OpenAIImageGeneratorBlock": ("openai", {"prompt": "A cat"}),
    "AIShortformVideoCreatorBlock": ("revid", {"script": "A cat"}),
    "JinaEmbeddingBlock": ("jina", {"texts": ["cat"]}),
    "JinaChunkingBlock": ("jina", {"texts": ["A cat. A dog."]}),
    "FactCheckerBlock": ("jina", {"statement": "The earth is round"}),
    "ExtractWebsiteContentBlock": ("jina", {"url": "https://example.com/page"}),
    "TranscribeYoutubeVideoBlock": ("youtube", {"youtube_url": "dQw4w9WgXcQ"}),
    "ValidateEmailsBlock": ("zerobounce", {"email": "ann@example.com"}),
    "ScreenshotWebPageBlock": ("screenshotone", {"url": "https://example.com/"}),
    "FirecrawlScrapeBlock": ("firecrawl", {"url": "https://example.com/"}),
    "FirecrawlCrawlBlock": ("firecrawl", {"url": "https://example.com/"}),
    "FirecrawlMapWebsiteBlock": ("firecrawl", {"url": "https://example.com/"}),
    "FirecrawlExtractBlock": ("firecrawl", {"urls": ["https://example.com/"]}),
    "FirecrawlSearchBlock": ("firecrawl", {"query": "cats"}),
    "DataForSeoKeywordSuggestionsBlock": ("dataforseo", {"keyword": "cat"}),
    "DataForSeoRelatedKeywordsBlock": ("dataforseo", {"keyword": "cat"}),
    "PublishToMediumBlock": ("medium", STORY),
    "WordPressCreatePostBlock": ("wordpress", POST),
    "AirtableCreateBaseBlock": ("airtable", {"workspace_id": "wsp1", "name": "New"}),
    "AirtableListBasesBlock": ("airtable", {}),
    "AirtableCreateRecordsBlock": ("airtable", ROWS),
    "AirtableListRecordsBlock": ("airtable", PEOPLE),
    "AirtableGetRecordBlock": ("airtable", {**PEOPLE, "record_id": "rec1"}),
    "AirtableUpdateRecordsBlock": (
        "airtable",
        {**PEOPLE, "records": [{"id": "rec1", "fields": {}}]},
    ),
    "AirtableDeleteRecordsBlock": ("airtable", {**PEOPLE, "record_ids": ["rec1"]}),
    "AirtableListSchemaBlock": ("airtable", {"base_id": "app1"}),
    "AirtableCreateTableBlock": ("airtable", {"base_id": "app1", "table_name": "Pets"}),
    "DiscordUserInfoBlock": ("discord", {"user_id": "1000000000000000021"}),
    "DiscordGetCurrentUserBlock": ("discord", {}),
    "SendDiscordEmbedBlock": ("discord", {**CHANNEL, "title": "x"}),
    "SendDiscordFileBlock": ("discord", {**CHANNEL, "file": "data:text/plain,x"}),
    "CreateDiscordThreadBlock": (
        "discord",
        {"channel_name": CHANNEL["channel_identifier"], "thread_name": "x"},
    ),
    "ExaSearchBlock": ("exa", {"query": "cats"}),
    "ExaFindSimilarBlock": ("exa", {"url": "https://example.com/"}),
    "ExaContentsBlock": ("exa", {"urls": ["https://example.com/"]}),
    "ExaAnswerBlock": ("exa", {"query": "cats"}),
    "ExaCodeContextBlock": ("exa", {"query": "cats"}),
    "GoogleDocsReadBlock": ("google", {"document": BOOK}),
    "GoogleDocsGetMetadataBlock": ("google", {"document": BOOK}),
    "GoogleDocsAppendPlainTextBlock": ("google", {"document": BOOK, "text": "x"}),
    "GoogleDocsShareBlock": ("google", {"document": BOOK}),
    "TodoistCreateTaskBlock": ("todoist", {"content": "x"}),
    "TodoistGetTasksBlock": ("todoist", {}),
    "TodoistGetTaskBlock": ("todoist", {"task_id": "t1"}),
    "TodoistListProjectsBlock": ("todoist", {}),
    "TodoistCreateProjectBlock": ("todoist", {"name": "x"}),
    "TodoistGetSectionBlock": ("todoist", {"section_id": "s1"}),
    "TodoistListLabelsBlock": ("todoist", {}),
    "TodoistCreateLabelBlock": ("todoist", {"name": "x"}),
    "TodoistGetCommentBlock": ("todoist", {"comment_id": "c1"}),
}
BLOCKS = {block.__name__: block for block in discover()}
#: These read nothing of what answers them, if it is an object, or say in words of their own what
#: it is not.
TAKE_ANY_OBJECT = {
    "GoogleSheetsShareSpreadsheetBlock",
    "GithubAssignPRReviewerBlock",
    "GithubReadFileBlock",
}
#: These hand on text as it is, so that nothing is garbage to them.
TAKES_ANY_TEXT = {"SearchTheWebBlock", "ExtractWebsiteContentBlock"}

each_call = pytest.mark.parametrize("name", CALLS)


def call_of(name: str) -> tuple[Block, str, dict[str, Any]]:
    block, (provider, inputs) = BLOCKS[name], CALLS[name]
    credentials = {
        pin: {
            "id": "mine",
            "provider": schema["credentials_provider"][0],
            "type": schema["credentials_types"][0],
        }
        for pin, schema in spec_of(block).credentials.items()
    }
    return block(), provider, {**inputs, **credentials}


async def failure(name: str, context: BlockContext) -> BlockError:
    block, _, inputs = call_of(name)
    with pytest.raises(BlockError) as caught:
        await outputs_of(block, inputs, context)
    return caught.value


@each_call
async def test_what_is_limited_says_when_to_try_again(
    name: str, services: StandIn, played: BlockContext
) -> None:
    services.next(CALLS[name][0], LIMITED)

    error = await failure(name, played)

    assert "status 429: Slow down, please" in error.reason
    assert isinstance(error.__cause__, ServiceLimited)
    assert error.__cause__.retry_after_s == 7


@each_call
async def test_a_service_that_fails_can_be_tried_again(
    name: str, services: StandIn, played: BlockContext
) -> None:
    services.next(CALLS[name][0], BROKEN)

    error = await failure(name, played)

    assert "status 500: We have dropped something" in error.reason
    assert isinstance(error.__cause__, Unavailable)


@each_call
async def test_a_refused_key_is_said_and_not_shown(
    name: str, services: StandIn, played: BlockContext
) -> None:
    refusal = Reply(status=401, value={"error": f"the key {KEY} is unknown"})
    services.next(CALLS[name][0], refusal)

    error = await failure(name, played)

    assert "refuses the credentials with status 401: the key" in error.reason
    assert isinstance(error.__cause__, WebClientError)
    if not spec_of(BLOCKS[name]).keyless and spec_of(BLOCKS[name]).credentials:
        assert KEY not in error.reason


@pytest.mark.parametrize("name", [name for name in CALLS if name not in TAKES_ANY_TEXT])
@pytest.mark.parametrize("garbage", [GARBAGE, Reply(value=None), Reply(value={"data": [[]]})])
async def test_nonsense_is_called_so(
    name: str, garbage: Reply, services: StandIn, played: BlockContext
) -> None:
    if name in TAKE_ANY_OBJECT and isinstance(garbage.value, dict):
        pytest.skip("any object will do")
    services.next(CALLS[name][0], garbage)

    error = await failure(name, played)

    assert "cannot be used" in error.reason


@each_call
def test_what_only_looks_is_tried_again_and_what_writes_is_not(name: str) -> None:
    spec = spec_of(BLOCKS[name])

    if spec.effect is Effect.AT_MOST_ONCE:
        assert spec.retries == 0
    else:
        assert spec.retries > 0


def test_a_block_that_can_do_without_a_key_runs_without_one() -> None:
    node = Node(
        id=NodeId("n"), block_id=BlockId(SearchTheWebBlock.id), input_default={"query": "cats"}
    )
    graph = Graph(id=GraphId("g"), name="", description="", nodes=(node,))
    catalog = Catalog([spec_of(SearchTheWebBlock)])

    report = check_graph(graph, catalog, for_run=True)

    assert (report.structure, report.nodes, report.skipped) == ((), {}, frozenset())
    assert "required" not in credentials_input_schema(graph, catalog)
    # The builder shows the pin as the contract has it.
    shown: Any = spec_of(SearchTheWebBlock).inputs
    assert "credentials" in shown["required"]


async def test_without_a_key_and_a_search_engine_it_says_what_is_missing(
    played: BlockContext,
) -> None:
    with pytest.raises(BlockError, match="a key of Jina, or a SearXNG") as caught:
        await outputs_of(SearchTheWebBlock(), {"query": "cats"}, replace(played, base_urls={}))

    assert isinstance(caught.value.__cause__, NotConfigured)


async def test_records_are_added_ten_at_a_time(services: StandIn, played: BlockContext) -> None:
    rows = {**ROWS, "records": [{"Name": str(n)} for n in range(21)]}
    block, _, inputs = call_of("AirtableCreateRecordsBlock")

    [(_, made)] = await outputs_of(block, {**inputs, **rows}, played)

    assert [len(asked.json()["records"]) for asked in services.asked] == [10, 10, 1]
    assert [each["fields"]["Name"] for each in made] == [str(n) for n in range(21)]


async def test_a_picture_is_kept_as_a_file_of_the_run(played: BlockContext) -> None:
    block, _, inputs = call_of("ScreenshotWebPageBlock")

    [(_, reference)] = await outputs_of(block, inputs, played)

    assert reference.startswith("workspace://")
    assert await played.run_files().data_uri(reference) == "data:image/png;base64,iVBORw0KGgo="


async def test_whose_key_it_is_is_the_author_where_nobody_says_who(
    services: StandIn, played: BlockContext
) -> None:
    block, _, inputs = call_of("PublishToMediumBlock")

    await outputs_of(block, {**inputs, "author_id": "author-1"}, played)
    await outputs_of(block, inputs, played)

    assert [asked.path for asked in services.asked] == [
        "/users/author-1/posts",
        "/me",
        "/users/author-1/posts",
    ]
