"""Plays Jina's reader, search and grounding, and a SearXNG."""

import re
from typing import Any

from backend.testing.standin.messages import Asked, Reply, text


class Jina:
    """Its hosts are the places r, s, g and api. A vector is a text's length, and a half."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as the host does."""
        if not asked.has_bearer:
            return Reply(
                status=401,
                value={
                    "data": None,
                    "code": 401,
                    "name": "AuthenticationFailedError",
                    "message": "Invalid API key, please get a new one",
                },
            )
        place, _, rest = asked.path.lstrip("/").partition("/")
        match place:
            case "r":
                return text(f"Title: Example\n\nURL Source: {rest}\n\nMarkdown Content:\n# Hello")
            case "s":
                return text(f"[1] Title: About {rest}\n[1] URL Source: https://example.com/")
            case "api" if rest == "v1/embeddings":
                return self._embedded(asked.json())
            case "api":
                return self._cut(asked.json())
            case _:
                return self._grounded(rest)

    def _grounded(self, statement: str) -> Reply:
        is_true = "round" in statement
        reference = {
            "url": "https://example.com/earth",
            "keyQuote": "The earth is round.",
            "isSupportive": is_true,
        }
        return Reply(
            value={
                "code": 200,
                "data": {
                    "factuality": 0.95 if is_true else 0.05,
                    "result": is_true,
                    "reason": "A page says so.",
                    "references": [reference],
                },
            }
        )

    def _embedded(self, told: dict[str, Any]) -> Reply:
        if not told["model"].startswith("jina-"):
            return Reply(status=422, value={"detail": f"Model {told['model']} not found"})
        rows = [
            {"object": "embedding", "index": place, "embedding": [float(len(text)), 0.5]}
            for place, text in enumerate(told["input"])
        ]
        # It promises no order.
        return Reply(value={"model": told["model"], "data": rows[::-1]})

    def _cut(self, told: dict[str, Any]) -> Reply:
        chunks = re.findall(r"[^.]+\.? *", told["content"])
        value: dict[str, Any] = {"num_chunks": len(chunks), "chunks": chunks}
        if told["return_tokens"]:
            value["tokens"] = [[[chunk, [n]]] for n, chunk in enumerate(chunks, 1)]
        return Reply(value=value)


class SearXNG:
    """Finds two pages for everything."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as /search does with the format json."""
        if asked.path != "/search" or asked.one("format") != "json":
            return text("Forbidden", status=403)
        query = asked.one("q")
        results = [
            {"url": f"https://example.com/{n}", "title": f"{query} {n}", "content": f"Page {n}."}
            for n in (1, 2)
        ]
        return Reply(value={"query": query, "results": results if query != "nothing" else []})
