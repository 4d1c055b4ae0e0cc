"""The one guarded way out. Importing it is cheap: the HTTP library loads with the first call."""

from backend.adapters.web.addresses import refusal
from backend.adapters.web.client import GuardedWebClient
from backend.adapters.web.gate import Gate, Resolver, resolve
from backend.adapters.web.trust import TrustList

__all__ = ["Gate", "GuardedWebClient", "Resolver", "TrustList", "refusal", "resolve"]
