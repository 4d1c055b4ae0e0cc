"""Checks where an installation keeps its rows, and how its services reach each other."""

from typing import Final

from backend.adapters.broker.address import check_address
from backend.core.errors import BadRequest
from backend.setting_sources import (
    Found,
    bad_setting,
    data_dir_from,
    gather,
    gather_config_file,
)

_SERVICES: Final = ("database_url", "rabbitmq_url")
_DATABASES: Final = ("postgresql://", "postgres://")


def check_places(found: Found) -> None:
    """
    Refuse addresses of a database or broker that are none.

    Raises:
        CannotStart: Says which setting, from where, and what it may be.
    """
    url = str(found.get("database_url", ("",))[0])
    if url and not url.startswith(_DATABASES):
        hint = "an address of PostgreSQL: postgresql://user:password@host:port/database"
        raise bad_setting("database_url", found, hint, {"database_url"})
    broker = str(found.get("rabbitmq_url", ("",))[0])
    if broker:
        try:
            check_address(broker)
        except BadRequest as exc:
            raise bad_setting("rabbitmq_url", found, str(exc), {"rabbitmq_url"}) from None
    if broker and not url:
        hint = "only with DATABASE_URL: those who share work share its database; unset it"
        raise bad_setting("rabbitmq_url", found, hint, {"rabbitmq_url"})


def services_used() -> frozenset[str]:
    """
    Return which of ``database_url`` and ``rabbitmq_url`` are set, before the settings are read.

    The command line is not asked: who trusts the answer must be right without it too.

    Raises:
        BadSetting: If a file of settings cannot be read.
    """
    found = gather(("agpt_data_dir", *_SERVICES), {})
    data_dir, _ = data_dir_from(found)
    return frozenset(_SERVICES) & {*found, *gather_config_file(_SERVICES, data_dir)}
