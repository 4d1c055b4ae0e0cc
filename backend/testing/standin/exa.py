"""Plays Exa: it knows one page, and that cats purr."""

from typing import Any, Final

from backend.testing.standin.messages import KEY, Asked, Reply

_URL: Final = "https://example.com/cats"
_CATS: Final[dict[str, Any]] = {"id": _URL, "url": _URL, "title": "Cats"}
_COST: Final = {"total": 0.005}


class Exa:
    """Answers as its API does."""

    def answer(self, asked: Asked) -> Reply:
        """Answer one question."""
        if asked.headers.get("x-api-key") != KEY:
            return _wrong(401, "Invalid API key")
        said = asked.json()
        match asked.path:
            case "/search":
                found: Any = {"resolvedSearchType": "neural"}
                return Reply(value={"results": [_CATS], "costDollars": _COST, **found})
            case "/findSimilar" if not said["url"].startswith("http"):
                return _wrong(400, "Invalid URL")
            case "/findSimilar":
                context = {"context": "Cats: they purr."} if said["contents"] else {}
                return _found([_CATS], **context)
            case "/contents":
                pages = said.get("ids") or said["urls"]
                statuses = [{"id": each, "status": "success"} for each in pages]
                return _found([{**_CATS, "text": "They purr."}], statuses=statuses)
            case "/answer":
                return Reply(value={"answer": "They purr.", "citations": [_CATS]})
            case "/context":
                return Reply(
                    value={
                        "requestId": "q1",
                        "query": said["query"],
                        "response": "fn purr() {}",
                        "resultsCount": 3,
                        "costDollars": '{"total":1}',
                        "searchTime": 12.5,
                        "outputTokens": 40,
                    }
                )
            case _:
                return _wrong(404, "Not found")


def _found(results: list[dict[str, Any]], **more: Any) -> Reply:
    return Reply(value={"requestId": "q1", "results": results, "costDollars": _COST, **more})


def _wrong(status: int, words: str) -> Reply:
    return Reply(status=status, value={"error": words})
