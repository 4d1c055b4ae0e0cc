"""Providers that take webhooks, a module each: what has a `REGISTRAR` here is one."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from backend.ports.registrars import WebhookRegistrar
from backend.ports.web import WebClient


def registrars(web: WebClient, base_urls: Mapping[str, str]) -> dict[str, WebhookRegistrar]:
    """Return all by provider. *base_urls* is where the operator says that providers are."""
    made: dict[str, WebhookRegistrar] = {}
    for module in pkgutil.iter_modules(__path__):
        found = getattr(import_module(f"{__name__}.{module.name}"), "REGISTRAR", None)
        if found is not None:
            registrar: WebhookRegistrar = found(web, base_urls.get(found.provider, ""))
            made[registrar.provider] = registrar
    return made
