"""What would stop a start: each check goes on after its first problem, so that all are told."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from backend.cli.database import problems_of, step_of
from backend.core.errors import AgentServerError, BadSetting, CannotStart
from backend.setting_keys import new_key
from backend.settings import ADDRESSES, Settings, load_settings
from backend.util.identity import is_alive
from backend.util.listen import listen
from backend.util.record import read_records
from backend.wiring import database_place

_SMTP_LIMIT_S: Final = 10.0
_KEYS: Final = ("jwt_verify_key", "encryption_key", "unsubscribe_secret_key", "instance_key")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. *said*: what to know about it when all is well."""

    name: str
    problems: tuple[str, ...] = ()
    said: str = ""


#: The name of a check, what it looks at, and what to say when all is well.
_Look: TypeAlias = tuple[str, Callable[[Settings], Iterator[str]], Callable[[Settings], str]]


def examine(overrides: Mapping[str, Any]) -> list[Check]:
    """Return all checks. What cannot be looked at, because the settings cannot be read, is left out."""
    settings, problems = _settings(overrides)
    checks = [Check(name="settings, data directory and keys", problems=tuple(problems))]
    if settings is None:
        return checks
    for name, look, said in _looks(settings):
        try:
            found = tuple(look(settings))
            checks.append(Check(name=name, problems=found, said="" if found else said(settings)))
        except AgentServerError as exc:
            checks.append(Check(name=name, problems=(str(exc),)))
    return checks


def _looks(settings: Settings) -> Iterator[_Look]:
    """Yield what there is to look at."""
    yield "addresses to call, pages that may ask", _outside, lambda _: "understood"
    yield "ports", _ports, lambda _: "free, or this server's own"
    yield "database", _database, _database_said
    if settings.rabbitmq_url:
        yield "broker", lambda _: iter(()), _broker_said
    if settings.clamav_service_host and settings.clamav_service_enabled:
        address = f"{settings.clamav_service_host}:{settings.clamav_service_port}"
        yield "virus scanner", _scanner, lambda _: address
    if settings.files_url:
        yield "file store", _file_store, lambda one: one.files_url
    if settings.models_file:
        yield "models", _models, lambda one: one.models_file
    if settings.mcp_servers_file:
        yield "tool servers", _servers, lambda one: one.mcp_servers_file
    if settings.notice_templates_dir:
        yield "letters", _letters, lambda one: one.notice_templates_dir
    if settings.smtp_host:
        yield "mail server", _mail, lambda one: f"{one.smtp_host}:{one.smtp_port}"


def _outside(settings: Settings) -> Iterator[str]:
    from backend.adapters.web.trust import TrustList  # noqa: PLC0415 -- not every command needs it
    from backend.api.ws.origins import Origins  # noqa: PLC0415 -- the same

    try:
        TrustList.of(settings.trust_endpoints_for_requests)
    except BadSetting as exc:
        yield f"TRUST_ENDPOINTS_FOR_REQUESTS: {exc}."
    try:
        Origins(settings.backend_cors_allow_origins)
    except BadSetting as exc:
        yield f"{exc}."


def _broker_said(settings: Settings) -> str:
    from backend.adapters.broker.tidy import check  # noqa: PLC0415 -- only where one is set

    return asyncio.run(check(settings.rabbitmq_url))


def _models(settings: Settings) -> Iterator[str]:
    from backend.wiring_credentials import model_registry  # noqa: PLC0415 -- most have no such file

    try:
        model_registry(settings)
    except BadSetting as exc:
        yield str(exc)


def _servers(settings: Settings) -> Iterator[str]:
    from backend.wiring_servers import local_servers  # noqa: PLC0415 -- the same

    try:
        local_servers(settings)
    except BadSetting as exc:
        yield str(exc)


def _letters(settings: Settings) -> Iterator[str]:
    from backend.wiring_notices import letter_writer  # noqa: PLC0415 -- the same

    try:
        letter_writer(settings)
    except CannotStart as exc:
        yield str(exc)


def _settings(overrides: Mapping[str, Any]) -> tuple[Settings | None, list[str]]:
    """
    Return the settings and all that is wrong with them.

    Each wrong one is replaced by its default and the others are read again. None when that is not
    enough: the file they come from, or the data directory, cannot be used.
    """
    given = dict(overrides)
    problems: list[str] = []
    while True:
        try:
            return load_settings(given)[0], problems
        except BadSetting as exc:
            problems.append(str(exc))
            name = str(exc).split(maxsplit=1)[0].lower()
            # Its sentence begins with its name; a file that cannot be read has none.
            if name not in Settings.model_fields or name in given.keys() - overrides.keys():
                return None, problems
            given[name] = _harmless(name)
        except CannotStart as exc:
            if str(exc) in problems:
                return None, problems
            problems.append(str(exc))
            # If it was the keys, the rest can be looked at with others.
            given |= {name: new_key() for name in _KEYS if name not in given}


def _harmless(name: str) -> Any:
    """Return a value for the setting *name* that nothing is wrong with."""
    if name in _KEYS:
        return new_key()
    if name == "backend_cors_allow_origins":
        return ()  # the default is a page of this machine, which not every kind of server takes
    if name.endswith("_port"):
        return 0  # any free one; the default may be what another setting says
    return Settings.model_fields[name].get_default(call_default_factory=True)


def _ports(settings: Settings) -> Iterator[str]:
    ours = _own_ports(settings)
    for host_setting, port_setting in ADDRESSES:
        host, port = getattr(settings, host_setting), getattr(settings, port_setting)
        if port in ours:
            continue
        try:
            opened = listen(host, port, host_setting=host_setting, port_setting=port_setting)
        except (CannotStart, BadSetting) as exc:
            yield str(exc)
        else:
            opened.close()


def _own_ports(settings: Settings) -> set[int]:
    """Return the ports on which services of this very data directory listen."""
    return {
        int(port)
        for record in read_records(settings.agpt_data_dir).values()
        for service in record.services
        if is_alive(service.identity)
        and (port := service.address.rpartition(":")[2].partition("/")[0]).isdecimal()
    }


def _database(settings: Settings) -> Iterator[str]:
    place = database_place(settings)
    step = step_of(place)
    if step is None:
        return  # a start makes it
    from backend.adapters.storage.migrate import HEAD  # noqa: PLC0415 -- only where there is one

    if step < HEAD:
        return  # a start brings it up to date
    yield from problems_of(place, whole=False)


def _database_said(settings: Settings) -> str:
    from backend.adapters.storage.migrate import HEAD  # noqa: PLC0415 -- the same

    step = step_of(database_place(settings))
    if step is None:
        return "not there yet; the first start makes it"
    return f"at step {step}" + ("" if step == HEAD else f"; a start brings it to {HEAD}")


def _file_store(settings: Settings) -> Iterator[str]:
    from backend.wiring_files import bucket_of  # noqa: PLC0415 -- only where one is set

    bucket = bucket_of(settings)
    assert bucket is not None
    try:
        asyncio.run(bucket.check())
    except AgentServerError as exc:
        yield f"{str(exc)[:1].upper()}{str(exc)[1:]}."


def _scanner(settings: Settings) -> Iterator[str]:
    from backend.adapters.clamav import ClamdScanner  # noqa: PLC0415 -- only where one is set

    scanner = ClamdScanner(settings.clamav_service_host, settings.clamav_service_port)
    said = asyncio.run(scanner.said())
    if not said.startswith("on"):
        yield f"{said[0].upper()}{said[1:]} (CLAMAV_SERVICE_HOST, CLAMAV_SERVICE_PORT)."


def _mail(settings: Settings) -> Iterator[str]:
    import aiosmtplib  # noqa: PLC0415 -- only where a mail server is set

    try:
        asyncio.run(_greet(settings))
    except (aiosmtplib.SMTPException, OSError) as exc:
        reason = str(exc) or "no answer in time"
        yield (
            f"{settings.smtp_host}:{settings.smtp_port} (SMTP_HOST, SMTP_PORT) cannot be used with"
            f" SMTP_SECURITY={settings.smtp_security}: {reason}."
        )


async def _greet(settings: Settings) -> None:
    """Connect as the postman does, log in if there is a name, and leave. Sends nothing."""
    import aiosmtplib  # noqa: PLC0415 -- only where a mail server is set

    async with aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username or None,
        password=settings.smtp_password.get_secret_value() or None,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        timeout=_SMTP_LIMIT_S,
    ):
        return
