"""The blocks do what their examples say; the one that asks the web, with a service of ours."""  # noqa: INP001 - tests are no package

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from agpt_weather_words import BLOCKS
from agpt_weather_words.read import ReadWeatherBlock

from backend.sdk import Block, BlockExecutionError, Example, WebResponse
from backend.testing.blocks import CONTEXT, check_example, outputs_of


@pytest.mark.parametrize(
    ("block", "example"), [(block, example) for block in BLOCKS for example in block.examples]
)
def test_the_example_is_true(block: type[Block], example: Example) -> None:
    """Inputs and outputs are checked as the server checks them."""
    asyncio.run(check_example(block(), example))


def test_the_weather_of_a_place_is_read() -> None:
    """The place is in the address that is asked."""
    service = Service(200, b'{"current": {"temperature_2m": 3, "wind_speed_10m": 31.5}}')

    outputs = ask(service)

    assert outputs == [("temperature", 3.0), ("wind", 31.5)]
    assert "?latitude=59.9&longitude=10.7&" in service.asked[0]


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (503, b"", "https://weather.example answered with status 503"),
        (200, b'{"current": {}}', "did not tell the weather"),
        (200, b"[]", "did not tell the weather"),
        (200, b"<html>", "is not JSON"),
    ],
)
def test_an_answer_without_weather_fails_the_block(
    status: int, content: bytes, reason: str
) -> None:
    """And the reason says which service it was."""
    with pytest.raises(BlockExecutionError, match=reason):
        ask(Service(status, content))


class Service:
    """Stands where the web is: answers the same to all, and remembers what it was asked."""

    def __init__(self, status: int, content: bytes) -> None:
        self.answer = WebResponse(
            status=status, headers=(), content=content, url="https://weather.example/now"
        )
        self.asked: list[str] = []

    async def send(self, _method: str, url: str, **_: Any) -> WebResponse:
        """Answer."""
        self.asked.append(url)
        return self.answer

    async def aclose(self) -> None:
        """Nothing to close."""


def ask(service: Any) -> list[tuple[str, Any]]:
    """Return what the block yields when *service* is all the web there is."""
    inputs = {"latitude": 59.9, "longitude": 10.7, "service": "https://weather.example/now"}
    return asyncio.run(outputs_of(ReadWeatherBlock(), inputs, replace(CONTEXT, web=service)))
