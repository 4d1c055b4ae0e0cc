"""What has been renamed or retired since agents in circulation were made (spec/import.md)."""

import re
from collections.abc import Mapping
from typing import Final

#: Models that their makers have switched off, and what does their work now.
SUCCESSORS: Final[Mapping[str, str]] = {
    "claude-3-5-sonnet-latest": "claude-sonnet-4-5-20250929",
    "claude-3-5-sonnet-20240620": "claude-sonnet-4-5-20250929",
    "claude-3-5-sonnet-20241022": "claude-sonnet-4-5-20250929",
    "claude-3-7-sonnet-20250219": "claude-sonnet-4-5-20250929",
    "claude-3-7-sonnet-latest": "claude-sonnet-4-5-20250929",
    "claude-3-5-haiku-latest": "claude-haiku-4-5-20251001",
    "claude-3-5-haiku-20241022": "claude-haiku-4-5-20251001",
    "claude-3-opus-20240229": "claude-opus-4-1-20250805",
    "o1-preview": "o1",
    "llama-3.1-70b-versatile": "llama-3.3-70b-versatile",
    "llama3-70b-8192": "llama-3.3-70b-versatile",
    "llama3-8b-8192": "llama-3.1-8b-instant",
    "perplexity/llama-3.1-sonar-small-128k-online": "perplexity/sonar",
    "perplexity/llama-3.1-sonar-large-128k-online": "perplexity/sonar-pro",
}

#: Input pins by block: what they are called now.
RENAMED_PINS: Final[Mapping[str, Mapping[str, str]]] = {
    "CombineTextsBlock": {f"input{n}": f"input_$_{n - 1}" for n in range(1, 10)},
    "FillTextTemplateBlock": {"named_texts": "values"},
}

#: Blocks whose links elsewhere lead to the name of an argument: the pin in which arguments lie.
ARGUMENTS: Final[Mapping[str, str]] = {"MCPToolBlock": "tool_arguments"}

#: Input pins that held a secret where there are credentials now.
SECRET_PINS: Final = re.compile(r"(api_key|discord_bot_token|access_token|password|secret)")

#: Blocks whose texts were filled with single braces once: the pin with the text, the one with values.
TEMPLATES: Final[Mapping[str, tuple[str, str]]] = {"FillTextTemplateBlock": ("format", "values")}
#: A place in such a text: not one of a pair of braces.
OLD_PLACE: Final = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)\}(?!\})")
#: What shows that a text is written in today's way.
NEW_PLACE: Final = re.compile(r"\{\{|\{%")
