"""Triggers that the server itself watches: mailboxes, folders, feeds, pages."""
