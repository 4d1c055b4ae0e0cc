"""Places for files."""

from backend.adapters.files.folder import FolderFiles

__all__ = ["FolderFiles"]
