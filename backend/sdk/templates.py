"""Templates that people write: Jinja in a sandbox where nothing is reachable and nothing explodes.

What a template may use is in spec/semantics.md 6.2. What it may cost is in
`backend.sdk.template_limits`. Import this module only where a template is filled: its engine is
large.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import Template, TemplateError

from backend.core.errors import BadRequest, TooLarge
from backend.sdk.template_limits import BUDGET, Budget, LimitedEnvironment, TemplateTooExpensive

#: No template yields more than this.
MAX_OUTPUT_CHARS: Final = 1024 * 1024

#: No template is longer than this, or has more tags.
MAX_SOURCE_CHARS: Final = 256 * 1024
MAX_TAGS: Final = 5_000

_PLAIN: Final = LimitedEnvironment(autoescape=False, optimized=False)
_HTML: Final = LimitedEnvironment(autoescape=True, optimized=False)


class TemplateFailed(BadRequest):
    """A template cannot be filled."""


def fill(template: str, values: Mapping[str, Any], *, escape_html: bool = False) -> str:
    """
    Return *template* with *values* in its gaps; what is undefined renders empty.

    With *escape_html* the values are made safe to stand in HTML.

    Raises:
        TemplateFailed: If the template is malformed, or fails with these values.
        TooLarge: If it, or what comes out, is larger than its limit.
    """
    if "{" not in template:
        return template  # no gap can begin without one
    try:
        return _filled(_compiled(template, escape_html), values)
    except (TooLarge, TemplateTooExpensive):
        raise
    except TemplateError as exc:
        raise TemplateFailed(f"the template cannot be filled: {exc}") from exc
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        raise TemplateFailed(f"the template fails with these values: {exc}") from exc
    except (RecursionError, MemoryError, SyntaxError) as exc:
        raise TemplateFailed("the template is nested too deeply") from exc


@lru_cache(maxsize=256)
def _compiled(template: str, escape_html: bool) -> Template:  # noqa: FBT001 - the cache's key
    if len(template) > MAX_SOURCE_CHARS:
        raise TooLarge(f"a template may not be longer than {MAX_SOURCE_CHARS} characters")
    if template.count("{{") + template.count("{%") > MAX_TAGS:
        raise TooLarge(f"a template may not have more than {MAX_TAGS} tags")
    return (_HTML if escape_html else _PLAIN).from_string(template)


def _filled(template: Template, values: Mapping[str, Any]) -> str:
    context = template.new_context({**values, BUDGET: Budget()})
    chunks: list[str] = []
    length = 0
    for chunk in template.root_render_func(context):
        length += len(chunk)
        if length > MAX_OUTPUT_CHARS:
            raise TooLarge(f"a template may not yield more than {MAX_OUTPUT_CHARS} characters")
        chunks.append(chunk)
    return "".join(chunks)
