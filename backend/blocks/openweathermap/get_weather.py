"""GetWeatherInformation: how the weather is at a place now."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    CredentialsKind,
    Effect,
    Example,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service

OPENWEATHERMAP: Final = Service(
    provider="openweathermap",
    name="OpenWeatherMap",
    url="https://api.openweathermap.org",
    query="appid",
)
_MINE: Final = {"id": "mine", "provider": "openweathermap", "type": "api_key"}


class GetWeatherInformationBlock(Block):
    """Tells temperature, humidity and condition of the weather at a place."""

    id = "f7a8b2c3-6d4e-5f8b-9e7f-6d4e5f8b9e7f"
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"location": "Oslo", "credentials": _MINE},
            outputs=[("temperature", "-3.5"), ("humidity", "86"), ("condition", "light snow")],
        ),
        Example(
            inputs={"location": "Oslo", "use_celsius": False, "credentials": _MINE},
            outputs=[("temperature", "25.7"), ("humidity", "86"), ("condition", "light snow")],
        ),
        Example(inputs={"location": "Atlantis", "credentials": _MINE}, error="city not found"),
    )

    @pins
    class Input:
        """Input pins."""

        location: str = pin(description="A town, with a country if need be: Oslo,NO.")
        credentials: dict[str, Any] = credentials_pin(
            ["openweathermap"], [CredentialsKind.KEY], description="A key of OpenWeatherMap."
        )
        use_celsius: bool = pin(default=True, description="Else Fahrenheit.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        temperature: str = pin(description="Degrees.")
        humidity: str = pin(description="Percent.")
        condition: str = pin(description="The weather in a word or two.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield the weather."""
        calls = OPENWEATHERMAP.calls(context, inputs.credentials)
        units = "metric" if inputs.use_celsius else "imperial"
        weather = await calls.object(
            "GET", "data/2.5/weather", query={"q": inputs.location, "units": units}
        )
        try:
            found: Any = weather
            temperature, humidity = found["main"]["temp"], found["main"]["humidity"]
            condition = found["weather"][0]["description"]
        except (KeyError, IndexError, TypeError) as exc:
            raise calls.nonsense("it tells no weather") from exc
        yield "temperature", str(temperature)
        yield "humidity", str(humidity)
        yield "condition", str(condition)
