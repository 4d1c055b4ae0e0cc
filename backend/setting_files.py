"""Settings of where files lie, if not in the data directory. Part of settings.py, apart for its size."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, SecretStr

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def _files_url(text: str) -> str:
    if not text:
        return text
    scheme, _, rest = text.partition("://")
    bucket, *steps = rest.rstrip("/").split("/")
    if scheme == "s3" and _BUCKET.fullmatch(bucket) and all(map(_PREFIX.fullmatch, steps)):
        return text.rstrip("/")
    message = "must be s3://bucket or s3://bucket/prefix"
    raise ValueError(message)


def _endpoint(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        message = "must start with http:// or https://"
        raise ValueError(message)
    return text.rstrip("/")


class FileStoreSettings(BaseModel):
    """An S3-compatible bucket, and what its client reads by the names that it has everywhere."""

    files_url: Annotated[str, AfterValidator(_files_url)] = Field(
        "",
        description="`s3://bucket/prefix`: files and large values lie there; empty: in the data directory.",
    )
    aws_endpoint_url: Annotated[str, AfterValidator(_endpoint)] = Field(
        "", description="Address of an S3-compatible server; empty: Amazon's."
    )
    aws_region: str = Field("", description="Region of the bucket; empty: `us-east-1`.")
    aws_access_key_id: str = Field(
        "", description="Name of the bucket's key; empty: the machine's own role."
    )
    aws_secret_access_key: SecretStr = Field(SecretStr(""), description="The bucket's key.")
    aws_session_token: SecretStr = Field(
        SecretStr(""), description="Goes with a key that is lent for a time."
    )
