"""Settings of how people are told what happened. Part of settings.py, apart for its size."""

from email.utils import parseaddr
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr


def _as_sender(given: str) -> str:
    """Take an address, or a name and an address, on one line. Raises ValueError."""
    if not given.isprintable() or "@" not in parseaddr(given)[1]:
        raise ValueError("must be an address, or a name and <an address>, on one line")
    return given


_Port = Annotated[int, Field(ge=0, le=65535)]


class NoticeSettings(BaseModel):
    """By which ways notices leave."""

    notice_templates_dir: str = Field(
        "", description="Folder with templates of letters in place of the program's; empty: none."
    )
    refund_notification_email: str = Field(
        "", description="Who gets notices for the operator; empty: nobody, they are dropped."
    )
    smtp_host: str = Field("", description="Empty: notices are written to the outbox folder.")
    smtp_port: _Port = Field(587, description="Port of the mail server.")
    smtp_username: str = Field("", description="Empty: no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password of the mail server.")
    smtp_sender: Annotated[str, AfterValidator(_as_sender)] = Field(
        "agpt@localhost", description="From whom notices come."
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to the mail server is protected."
    )
