"""ValidateEmails: whether a mail address takes mail."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service

ZEROBOUNCE: Final = Service(
    provider="zerobounce", name="ZeroBounce", url="https://api.zerobounce.net", query="api_key"
)
_MINE: Final = {"id": "mine", "provider": "zerobounce", "type": "api_key"}
_STATUS: Final = [
    "",
    "valid",
    "invalid",
    "catch-all",
    "unknown",
    "spamtrap",
    "abuse",
    "do_not_mail",
]
_SUB_STATUS: Final = [
    "",
    "antispam_system",
    "greylisted",
    "mail_server_temporary_error",
    "forcible_disconnect",
    "mail_server_did_not_respond",
    "timeout_exceeded",
    "failed_smtp_connection",
    "mailbox_quota_exceeded",
    "exception_occurred",
    "possible_trap",
    "role_based",
    "global_suppression",
    "mailbox_not_found",
    "no_dns_entries",
    "failed_syntax_check",
    "possible_typo",
    "unroutable_ip_address",
    "leading_period_removed",
    "does_not_accept_mail",
    "alias_address",
    "role_based_catch_all",
    "disposable",
    "toxic",
    "alternate",
    "mx_forward",
    "blocked",
    "allowed",
    "accept_all",
]
#: Texts that may be null, and are null when they are not given.
_TEXTS: Final = (
    "did_you_mean",
    "domain_age_days",
    "mx_record",
    "smtp_provider",
    "firstname",
    "lastname",
    "gender",
    "city",
    "region",
    "zipcode",
    "country",
)


def _text(name: str, default: str | None) -> dict[str, Any]:
    return {
        "advanced": True,
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "default": default,
        "secret": False,
        "title": name.replace("_", " ").title(),
    }


def _truth(name: str) -> dict[str, Any]:
    return {**_text(name, None), "anyOf": [{"type": "boolean"}, {"type": "null"}], "default": False}


def _choice(title: str, choices: list[str], default: str) -> dict[str, Any]:
    words = {"advanced": True, "default": default, "secret": False}
    return {"enum": choices, "title": title, "type": "string", **words}


_RESPONSE: Final[dict[str, Any]] = {
    "properties": {
        "address": {
            "advanced": True,
            "default": "N/A",
            "secret": False,
            "title": "Address",
            "type": "string",
        },
        "status": _choice("ZBValidateStatus", _STATUS, "unknown"),
        "sub_status": _choice("ZBValidateSubStatus", _SUB_STATUS, ""),
        "account": _text("account", "N/A"),
        "domain": {
            "advanced": False,
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "secret": False,
            "title": "Domain",
        },
        "free_email": _truth("free_email"),
        "mx_found": _truth("mx_found"),
        **{name: _text(name, None) for name in _TEXTS},
    },
    "required": ["domain"],
    "type": "object",
}


class ValidateEmailsBlock(Block):
    """Asks ZeroBounce whether a mail address is real and takes mail."""

    id = "e3950439-fa0b-40e8-b19f-e0dca0bf5853"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"email": "ann@example.com", "credentials": _MINE},
            outputs=[
                (
                    "response",
                    {
                        "address": "ann@example.com",
                        "status": "valid",
                        "sub_status": "",
                        "account": "ann",
                        "domain": "example.com",
                        "free_email": False,
                        "mx_found": True,
                        "domain_age_days": "9692",
                    },
                )
            ],
        ),
        Example(
            inputs={"email": "no", "credentials": _MINE}, error="ZeroBounce says: Invalid email"
        ),
    )

    @pins
    class Input:
        """Input pins."""

        email: str = pin(description="The address.")
        ip_address: str = pin(
            default="", description="From where its owner came to you, if you know."
        )
        credentials: dict[str, Any] = credentials_pin(
            ["zerobounce"], [CredentialsKind.KEY], description="A key of ZeroBounce."
        )

    @pins
    class Output:
        """Output pins."""

        response: dict[str, Any] = pin(schema=_RESPONSE, description="What is known of it.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what is known."""
        calls = ZEROBOUNCE.calls(context, inputs.credentials)
        query = {"email": inputs.email, "ip_address": inputs.ip_address}
        answer = await calls.object("GET", "v2/validate", query=query)
        # It answers with success even where it refuses.
        if refusal := answer.get("error"):
            raise ValueError(f"ZeroBounce says: {str(refusal)[:300]}")
        if "status" not in answer:
            raise calls.nonsense("it has no status")
        yield "response", _known(answer)


def _known(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the pin has room for; a status that is new to us is an unknown one."""
    known = {name: answer[name] for name in _RESPONSE["properties"] if name in answer}
    known["domain"] = answer.get("domain")
    if known["status"] not in _STATUS:
        known["status"] = "unknown"
    if known.get("sub_status") not in _SUB_STATUS:
        known["sub_status"] = ""
    for name in ("free_email", "mx_found"):
        if isinstance(known.get(name), str):
            known[name] = known[name].lower() == "true"
    if isinstance(known.get("domain_age_days"), int):
        known["domain_age_days"] = str(known["domain_age_days"])
    return known
