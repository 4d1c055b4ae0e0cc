"""The vault on Fernet keys."""

from backend.adapters.vault.fernet import FernetVault, fingerprint, keys_in

__all__ = ["FernetVault", "fingerprint", "keys_in"]
