"""A graph as people draw them: posts are read, a model judges them, and some get a comment."""

from typing import Final

from backend.core.graph import Graph
from backend.usecases.drawing import Drawing

_POST: Final = """\
Post {{ post_id }} in r/{{ subreddit }}
Title: {{ title }}

{{ body }}
"""

_TASK: Final = """\
You speak for AutoGPT, a platform on which people build agents that do their work for them.
Read the post. Say whether its author would be helped by AutoGPT. If so, write a short, friendly
and honest comment that answers the post and mentions AutoGPT where it helps.
"""


def create_test_graph() -> Graph:
    """Return the graph; it needs accounts for Reddit and for a model (spec/semantics.md 5)."""
    drawing = Drawing(
        "RedditMarketingAgent", "Finds posts that a comment would help, and comments."
    )
    reader = drawing.node("GetRedditPostsBlock", post_limit=3)
    text = drawing.node("FillTextTemplateBlock", format=_POST)
    judge = drawing.node(
        "AIStructuredResponseGeneratorBlock",
        sys_prompt=_TASK,
        expected_format={
            "post_id": "the id of the post",
            "is_relevant": "true or false",
            "marketing_text": "the comment; empty if not relevant",
        },
    )
    relevant = drawing.node("MatchTextPatternBlock", match="true", case_sensitive=False)
    writer = drawing.node("PostRedditCommentBlock")
    drawing.link(reader, "post", text, "values")
    drawing.link(text, "output", judge, "prompt")
    drawing.link(judge, "response", relevant, "data")
    drawing.link(judge, "response_#_is_relevant", relevant, "text")
    drawing.link(relevant, "positive_#_post_id", writer, "post_id")
    drawing.link(relevant, "positive_#_marketing_text", writer, "comment")
    return drawing.graph()
