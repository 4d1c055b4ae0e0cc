"""WordPressCreatePost: a post on a site."""

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    JsonObject,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service, path_of

WORDPRESS: Final = Service(
    provider="wordpress", name="WordPress", url="https://public-api.wordpress.com"
)
_MINE: Final = {"id": "mine", "provider": "wordpress", "type": "oauth2"}
_POST: Final = {"site": "https://ann.example.com/", "title": "Hello", "content": "<p>Hello</p>"}
_DATA: Final = {
    "ID": 7,
    "URL": "https://ann.example.com/hello",
    "short_URL": "https://wp.example.com/7",
    "title": "Hello",
    "status": "publish",
}


class WordPressCreatePostBlock(Block):
    """Publishes a post on a site at WordPress.com, or on one of your own with Jetpack."""

    id = "ee4fe08c-18f9-442f-a985-235379b932e1"
    categories = (Category.SOCIAL,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={**_POST, "credentials": _MINE},
            outputs=[
                ("site", "ann.example.com"),
                ("post_id", 7),
                ("post_url", "https://ann.example.com/hello"),
                ("short_url", "https://wp.example.com/7"),
                ("post_data", _DATA),
            ],
        ),
        Example(
            inputs={**_POST, "site": "nobody.example.com", "credentials": _MINE},
            error="status 404: Unknown blog",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["wordpress"],
            [CredentialsKind.OAUTH2],
            of_package=True,
            description="An account of WordPress.com.",
        )
        site: str = pin(description="The address of the site, or its id.")
        title: str = pin(description="The title.")
        content: str = pin(description="The text, in HTML.")
        excerpt: str | None = pin(default=None, description="A summary.")
        slug: str | None = pin(default=None, description="Its name in the address.")
        author: str | None = pin(
            default=None,
            description="The id or name of the author; not given: whose account it is.",
        )
        categories: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="Names of categories.",
        )
        tags: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="Names of tags.",
        )
        featured_image: str | None = pin(
            default=None, description="The id of an image of the site."
        )
        media_urls: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="Addresses of pictures to add.",
        )
        publish_as_draft: bool = pin(default=False, description="Keep it as a draft.")

    @pins
    class Output:
        """Output pins."""

        site: str = pin(description="The site.")
        post_id: int = pin(description="The id of the post.")
        post_url: str = pin(description="The address of the post.")
        short_url: str = pin(description="A short address of it.")
        post_data: dict[str, Any] = pin(description="All that the site says of it.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what has become of the post."""
        calls = WORDPRESS.calls(context, inputs.credentials)
        site = _site(inputs.site)
        texts: JsonObject = {
            "excerpt": inputs.excerpt,
            "slug": inputs.slug,
            "author": inputs.author,
            "categories": ",".join(inputs.categories),
            "tags": ",".join(inputs.tags),
            "featured_image": inputs.featured_image,
            "media_urls": list(inputs.media_urls),
        }
        post = await calls.object(
            "POST",
            f"rest/v1.1/sites/{path_of(site)}/posts/new",
            value={
                "title": inputs.title,
                "content": inputs.content,
                "status": "draft" if inputs.publish_as_draft else "publish",
                **{name: value for name, value in texts.items() if value},
            },
        )
        if not isinstance(post.get("ID"), int):
            raise calls.nonsense("it names no post")
        yield "site", site
        yield "post_id", post["ID"]
        yield "post_url", str(post.get("URL") or "")
        yield "short_url", str(post.get("short_URL") or "")
        yield "post_data", post


def _site(given: str) -> str:
    """Return the host of a site, or its id."""
    text = given.strip()
    return (urlsplit(text).hostname or "") if "://" in text else text.rstrip("/")
