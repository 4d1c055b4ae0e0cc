"""Plays Medium and WordPress.com. They remember what they were told to keep."""

from typing import Any

from backend.testing.blocks import MOMENT
from backend.testing.standin.messages import Asked, Reply


class Medium:
    """One author publishes stories."""

    def __init__(self) -> None:
        self.stories: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if not asked.has_bearer:
            return self._refused(401, "Token was invalid.")
        if asked.path == "/me":
            return Reply(value={"data": {"id": "author-1", "username": "ann"}})
        if asked.path != "/users/author-1/posts":
            return self._refused(403, "User may not publish for this author.")
        story = asked.json()
        if story["contentFormat"] not in ("html", "markdown"):
            return self._refused(400, "Content format was invalid.")
        self.stories.append(story)
        url = "https://medium.com/@ann/story-1"
        at = int(MOMENT.timestamp() * 1000)
        return Reply(status=201, value={"data": {"id": "story-1", "url": url, "publishedAt": at}})

    def _refused(self, status: int, words: str) -> Reply:
        return Reply(status=status, value={"errors": [{"message": words, "code": 6000}]})


class WordPress:
    """One site takes posts."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if not asked.has_bearer:
            words = "The OAuth2 token is invalid."
            return Reply(status=400, value={"error": "invalid_token", "message": words})
        if asked.path != "/rest/v1.1/sites/ann.example.com/posts/new":
            return Reply(status=404, value={"error": "unknown_blog", "message": "Unknown blog"})
        post = asked.json()
        self.posts.append(post)
        return Reply(
            value={
                "ID": 7,
                "URL": f"https://ann.example.com/{post['title'].lower()}",
                "short_URL": "https://wp.example.com/7",
                "title": post["title"],
                "status": post["status"],
            }
        )
