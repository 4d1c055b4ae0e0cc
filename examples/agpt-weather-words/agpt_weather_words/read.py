"""ReadWeather: temperature and wind of a place, from a weather service on the web."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class ReadWeatherBlock(Block):
    """Asks a weather service for the present temperature and wind of a place."""

    id = "b868ea7e-3559-4d01-8428-819bd5d505b5"
    categories = (Category.SEARCH,)
    # It changes nothing outside, so after a crash the server may ask again.
    effect = Effect.READ
    # What it does with an answer is shown by the tests, which bring a service of their own.
    examples = (
        Example(inputs={"latitude": 91, "longitude": 0}, error="91.0 is greater than the maximum"),
    )

    @pins
    class Input:
        """Input pins."""

        latitude: float = pin(description="In degrees, north is positive.", ge=-90, le=90)
        longitude: float = pin(description="In degrees, east is positive.", ge=-180, le=180)
        service: str = pin(
            default="https://api.open-meteo.com/v1/forecast",
            description="The address of a service that answers like Open-Meteo.",
        )

    @pins
    class Output:
        """Output pins."""

        temperature: float = pin(description="In degrees Celsius.")
        wind: float = pin(description="In kilometres an hour.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, float]]:
        """Yield temperature and wind."""
        place = {"latitude": inputs.latitude, "longitude": inputs.longitude}
        query = urlencode({**place, "current": "temperature_2m,wind_speed_10m"})
        # The guarded way out: it calls public addresses and those that the operator trusts.
        answer = await context.guarded_web().send("GET", f"{inputs.service}?{query}")
        if not answer.ok:
            raise ValueError(f"{answer.url_origin} answered with status {answer.status}")
        try:
            now = answer.json()["current"]
            temperature, wind = float(now["temperature_2m"]), float(now["wind_speed_10m"])
        except (KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"{answer.url_origin} did not tell the weather") from exc
        yield "temperature", temperature
        yield "wind", wind
