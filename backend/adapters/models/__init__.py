"""Providers of language models, through pydantic-ai. Importing this is cheap: see `client`."""

from backend.adapters.models.client import ProviderModels

__all__ = ["ProviderModels"]
