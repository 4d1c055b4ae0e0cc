"""Ways for letters: an SMTP server, or a folder that a person can open."""

from backend.adapters.mail.message import as_message
from backend.adapters.mail.outbox import OutboxMailer
from backend.adapters.mail.smtp import SmtpMailer, SmtpServer

__all__ = ["OutboxMailer", "SmtpMailer", "SmtpServer", "as_message"]
