"""Templates fill gaps, reach nothing, and cannot blow up."""

from typing import Any

import pytest

from backend.core.errors import BadRequest
from backend.sdk import templates
from backend.sdk.template_guards import MAX_TEXT_CHARS
from backend.sdk.templates import fill


@pytest.mark.parametrize(
    ("template", "values", "filled"),
    [
        ("plain", {}, "plain"),
        ("{{a}}{{ b }}", {"a": 1, "b": "x"}, "1x"),
        ("[{{ nothing }}]", {}, "[]"),
        ("{{ d.k.deep }}{{ l[1] }}", {"d": {"k": {"deep": 1}}, "l": [1, 2]}, "12"),
        ("{% for x in xs %}{{ loop.index }}{{ x|upper }}{% else %}none{% endfor %}",
         {"xs": ["a", "b"]}, "1A2B"),
        ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", {"d": {"a": 1}}, "a=1;"),
        ("{% if a %}yes{% else %}no{% endif %}", {"a": 0}, "no"),
        ("{{ 3.14159 | format('%.2f') }}", {}, "3.14"),
        ("{{ '{:,}'.format(n) }}", {"n": 12345}, "12,345"),
        ("{{ ['a', 'b'] | join(', ') }}{{ '-'.join(['a', 'b']) }}", {}, "a, ba-b"),
        ("{{ 'a-b'.replace('-', '+') }}{{ 'aXb' | replace('X', '') }}", {}, "a+bab"),
        ("{{ 2 ** 10 }}{{ 'ab' * 2 }}{{ 7 % 4 }}{{ 'a' ~ 1 }}", {}, "1024abab3a1"),
        ("{% set x = 5 %}{% set y %}<{{ x }}>{% endset %}{{ y }}", {}, "<5>"),
        ("{% macro m(n) %}({{ n }}){% endmacro %}{{ m(1) }}", {}, "(1)"),
        ("{{ xs | map('upper') | list | length }}", {"xs": ["a"]}, "1"),
        ("{{ xs | batch(2, 0) | list }}", {"xs": [1, 2, 3]}, "[[1, 2], [3, 0]]"),
        ("{% raw %}{{ a }}{% endraw %}", {}, "{{ a }}"),
        ("{% for n in t recursive %}{{ n.v }}{{ loop(n.c) }}{% endfor %}",
         {"t": [{"v": 1, "c": [{"v": 2, "c": []}]}]}, "12"),
    ],
)  # fmt: skip
def test_a_template_is_filled(template: str, values: dict[str, Any], filled: str) -> None:
    assert fill(template, values) == filled


def test_values_are_made_safe_for_html_only_when_asked() -> None:
    assert fill("{{ a }}", {"a": "<b>"}) == "<b>"
    assert fill("{{ a }}", {"a": "<b>"}, escape_html=True) == "&lt;b&gt;"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.x }}",
        "{{ ''['__class__'].__mro__ }}",
        "{{ (''|attr('__class__')).mro() }}",
        "{{ '{0.__class__.__mro__}'.format('') }}",
        "{{ self._TemplateReference__context.environment.code_generator_class.x }}",
        "{{ xs.append(1) }}",
        "{{ range(3) }}",
        "{{ namespace() }}",
        "{{ 1 | tojson }}",
        "{{ 1 | pprint }}",
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{{ 'x'.encode() }}",
        "{{ {}.fromkeys([1]) }}",
        "{{",
        "{% for %}",
        "{{ " + "(" * 5_000 + ")" * 5_000 + " }}",
        "{{ nothing.at.all }}",
    ],
)
def test_what_is_not_there_is_a_clear_error(template: str) -> None:
    with pytest.raises(BadRequest):
        fill(template, {"xs": []})


DOUBLE_TEXT = "{% set a = 'x' * 1000 %}" + "{% set a = a ~ a %}" * 40
DOUBLE_CAPTURE = "{% set a = 'xx' %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40
DOUBLE_LIST = "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 40


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 9 ** 999999999 }}",
        "{{ (9 ** 1000) ** 1000 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ 1 | format('%999999999d') }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ '{:{w}}'.format(1, w=999999999) }}",
        "{{ '{0:{1}}'.format(1, 999999999) }}",
        "{{ '{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}'.format(big * 10) }}",
        "{{ '%s%s' % (big * 100, big * 100) }}",
        "{{ 'a'.ljust(999999999) }}",
        "{{ 'a' | center(999999999) }}",
        "{{ 'a' | indent(999999999, true) }}",
        "{{ [1] | batch(999999999, 0) | list }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ 1 | round(999999999) }}",
        "{{ 1 | round(-999999999, 'ceil') }}",
        "{{ big.replace('', big) }}",
        "{{ big | replace('a', big) }}",
        "{{ big.join(big) }}",
        "{{ big | join(big) }}",
        "{{ big | list | join(d=big) }}",
        "{{ [[1], [2]] | sum(start=[]) }}",
        "{{ xs | map(attribute='no', default=xs) | list }}",
        "{{ big * 2 }}{{ big * 900 }}",
        DOUBLE_TEXT,
        DOUBLE_CAPTURE,
        DOUBLE_LIST + "{{ a }}",
        "{% set a = 'xy' * 1000 %}" + "{% set a = a + a %}" * 40,
        "{% set a = [1] %}" + "{% set a = a + a %}" * 40,
        "{% set a = 3 %}" + "{% set a = a * a %}" * 40,
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(90) }}",
        "{% for a in big %}{% for b in big %}{% endfor %}{% endfor %}",
        "{% for a in big %}{% for b in big %}{{ big | upper | lower }}{% endfor %}{% endfor %}",
        "{% for a in big %}{{ big }}{% endfor %}",
    ],
    ids=lambda template: template[-60:],
)
def test_a_template_cannot_blow_up(template: str) -> None:
    with pytest.raises(BadRequest):
        fill(template, {"big": "a" * 10_000, "xs": list(range(1000))})


def test_a_template_may_not_be_too_long_or_have_too_many_tags() -> None:
    with pytest.raises(BadRequest, match="characters"):
        fill("{{a}}" + "x" * templates.MAX_SOURCE_CHARS, {})
    with pytest.raises(BadRequest, match="tags"):
        fill("{{a}}" * (templates.MAX_TAGS + 1), {})


def test_a_long_text_without_tags_may_pass() -> None:
    text = "x" * MAX_TEXT_CHARS * 2

    assert fill(text, {}) == text


def test_values_are_not_changed() -> None:
    values = {"xs": [1], "d": {"a": 1}}

    fill("{% set xs = [] %}{{ d.get('a') }}", values)

    assert values == {"xs": [1], "d": {"a": 1}}


def test_a_value_cannot_take_the_place_of_the_budget() -> None:
    with pytest.raises(BadRequest):
        fill("{% for a in b %}{% for c in b %}{% endfor %}{% endfor %}",
             {" budget": None, "b": "x" * 10_000})  # fmt: skip
