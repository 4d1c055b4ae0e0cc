"""Which services are played, by the name of their provider."""

from collections.abc import Mapping
from typing import Final

from backend.testing.standin.airtable import Airtable
from backend.testing.standin.apollo import Apollo
from backend.testing.standin.chats import AnyHook, Ntfy, SlackHooks, TelegramBots
from backend.testing.standin.discord import Discord
from backend.testing.standin.e2b import E2b
from backend.testing.standin.exa import Exa
from backend.testing.standin.facts import OpenWeatherMap, Wikipedia, ZeroBounce
from backend.testing.standin.github import GitHub
from backend.testing.standin.google import Google
from backend.testing.standin.keywords import DataForSeo
from backend.testing.standin.linear import Linear
from backend.testing.standin.maps import GoogleMaps
from backend.testing.standin.messages import Play
from backend.testing.standin.notion import Notion
from backend.testing.standin.pages import Pages
from backend.testing.standin.pictures import Ideogram, OpenAi
from backend.testing.standin.publishing import Medium, WordPress
from backend.testing.standin.reading import Firecrawl, ScreenshotOne
from backend.testing.standin.reddit import Reddit
from backend.testing.standin.replicate import Replicate
from backend.testing.standin.revid import RevId
from backend.testing.standin.search import Jina, SearXNG
from backend.testing.standin.todoist import Todoist
from backend.testing.standin.youtube import YouTube

PLAYS: Final[Mapping[str, type[Play]]] = {
    "airtable": Airtable,
    "apollo": Apollo,
    "dataforseo": DataForSeo,
    "example.com": Pages,
    "exa": Exa,
    "firecrawl": Firecrawl,
    "e2b": E2b,
    "discord": Discord,
    "github": GitHub,
    "google": Google,
    "google_maps": GoogleMaps,
    "ideogram": Ideogram,
    "openai": OpenAi,
    "reddit": Reddit,
    "replicate": Replicate,
    "revid": RevId,
    "jina": Jina,
    "linear": Linear,
    "medium": Medium,
    "notion": Notion,
    "ntfy": Ntfy,
    "openweathermap": OpenWeatherMap,
    "screenshotone": ScreenshotOne,
    "searxng": SearXNG,
    "slack": SlackHooks,
    "telegram": TelegramBots,
    "todoist": Todoist,
    "webhook": AnyHook,
    "wikipedia": Wikipedia,
    "wordpress": WordPress,
    "youtube": YouTube,
    "zerobounce": ZeroBounce,
}
