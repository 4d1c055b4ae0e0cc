"""Plays Wikipedia and OpenWeatherMap."""

from typing import Final

from backend.testing.standin.messages import KEY, Asked, Reply

_MISSING: Final = "https://mediawiki.org/wiki/HyperSwitch/errors/not_found"


class Wikipedia:
    """Knows one page."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as its REST API does."""
        title = asked.path.rpartition("/")[2]
        if title != "Ada Lovelace":
            return Reply(
                status=404,
                value={"type": _MISSING, "title": "Not found.", "detail": "Page not found."},
            )
        return Reply(
            value={
                "type": "standard",
                "title": "Ada Lovelace",
                "extract": "Ada Lovelace was an English mathematician and writer.",
            }
        )


class OpenWeatherMap:
    """Knows the weather of one place."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as /data/2.5/weather does."""
        if asked.one("appid") != KEY:
            return Reply(status=401, value={"cod": 401, "message": "Invalid API key."})
        if asked.one("q") != "Oslo":
            return Reply(status=404, value={"cod": "404", "message": "city not found"})
        celsius = asked.one("units") == "metric"
        return Reply(
            value={
                "weather": [{"id": 600, "main": "Snow", "description": "light snow"}],
                "main": {"temp": -3.5 if celsius else 25.7, "humidity": 86},
                "name": "Oslo",
            }
        )


class ZeroBounce:
    """Knows that all addresses at example.com are real."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as /v2/validate does: with success, whatever it says."""
        if asked.one("api_key") != KEY:
            return Reply(value={"error": "Invalid API key or your account ran out of credits"})
        address = asked.one("email")
        account, at, domain = address.partition("@")
        if not at:
            return Reply(value={"error": "Invalid email"})
        return Reply(
            value={
                "address": address,
                "status": "valid" if domain == "example.com" else "an unheard-of status",
                "sub_status": "",
                "account": account,
                "domain": domain,
                "free_email": False,
                "mx_found": "true",
                "domain_age_days": "9692",
                "processed_at": "2026-01-31 13:37:00.000",
            }
        )
