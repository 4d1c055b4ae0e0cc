"""What the blocks of Replicate share: a prediction is begun once, and asked for until it is done."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from backend.sdk import (
    BadRequest,
    BlockContext,
    CredentialsKind,
    FormBody,
    WebClientError,
    WebFile,
    credentials_pin,
    json_text,
)
from backend.sdk.services import Service, ServiceCalls, path_of, until

REPLICATE: Final = Service(
    provider="replicate", name="Replicate", url="https://api.replicate.com/v1"
)
#: Between two looks at a prediction, and for all of them.
EVERY_S: Final = 2.0
MOST_S: Final = 1800.0

#: For examples.
MINE: Final = {"id": "mine", "provider": "replicate", "type": "api_key"}
#: The operator's key (spec/semantics.md 1.5).
_LENT: Final = {
    "id": "6b9fc200-4726-4973-86c9-cd526f5ce5db",
    "provider": "replicate",
    "type": "api_key",
}
_MISSING: Final = 404
_MOST_BYTES: Final = 100 * 1024 * 1024  # of one file, by the service


def lent_costs(amount: int, **chosen: str) -> tuple[Mapping[str, Any], ...]:
    """Return what a run costs with the operator's key, for what *chosen* says of other pins."""
    which = {**chosen, "credentials": _LENT}
    return ({"cost_amount": amount, "cost_filter": which, "cost_type": "run"},)


def key_pin() -> Any:
    """Return the pin that takes a key of Replicate."""
    return credentials_pin(["replicate"], [CredentialsKind.KEY], description="A key of Replicate.")


async def predicted(
    context: BlockContext,
    credentials: Mapping[str, Any],
    model: str,
    inputs: Mapping[str, Any],
    *,
    version: str | None = None,
) -> Any:
    """
    Return what *model* makes of *inputs*.

    The prediction is begun once: after a restart of the server it is asked for by its id.

    Args:
        model: ``owner/name``.
        version: Of the model, a hash; None: its present one.

    Raises:
        BadRequest: If the model fails, or its name is none.
        WebTimedOut: If it is not done in half an hour.
    """
    calls = REPLICATE.calls(context, credentials)
    owner, slash, name = model.partition("/")
    if not (slash or version):
        raise BadRequest(f"a model of Replicate is called owner/name, not {model!r}")

    async def begin(_key: str) -> str:
        value: dict[str, Any] = {"input": dict(inputs)}
        if version:
            value["version"] = version
            made = await calls.object("POST", "predictions", value=value)
        else:
            made = await _begun(calls, path_of("models", owner, name), value)
        if not isinstance(made.get("id"), str):
            raise calls.nonsense("it has no id")
        return str(made["id"])

    prediction = await context.once("prediction", begin)
    return await until(
        lambda: _outcome(calls, prediction),
        every_s=EVERY_S,
        most_s=MOST_S,
        what=f"the model {model}",
    )


async def _begun(calls: ServiceCalls, model: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Begin a prediction by the present version of the model that is at the path *model*."""
    try:
        return await calls.object("POST", f"{model}/predictions", value=dict(value))
    except WebClientError as exc:
        # Only models that Replicate keeps running are asked by their name alone.
        if exc.status != _MISSING:
            raise
    latest = (await calls.object("GET", model)).get("latest_version")
    if not isinstance(latest, dict) or not latest.get("id"):
        raise BadRequest("the model has no version that could be run")
    asked = {**value, "version": latest["id"]}
    return await calls.object("POST", "predictions", value=asked)


async def sent_file(
    context: BlockContext, credentials: Mapping[str, Any], source: str, *, name: str
) -> str:
    """
    Return an address at which Replicate finds the file *source*: its own, or that of a copy there.

    Args:
        name: Of the step; another for each file of a node.

    Raises:
        BadRequest, NotFound, TooLarge: As `backend.sdk.files.RunFiles`.
    """
    if source.startswith(("https://", "http://")):
        return source
    calls = REPLICATE.calls(context, credentials)

    async def send(_key: str) -> str:
        async with context.run_files().open(source) as file:
            content = await asyncio.to_thread(file.content.read, _MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise BadRequest("the file is larger than the 100 MB that Replicate takes")
        part = WebFile(
            name="content", filename=file.name, content=content, media_type=file.media_type
        )
        sent = calls.json_of(await calls.send("POST", "files", body=FormBody(files=[part])))
        address = (sent.get("urls") or {}).get("get") if isinstance(sent, dict) else None
        if not isinstance(address, str):
            raise calls.nonsense("it does not say where the file is")
        return address

    return await context.once(name, send)


async def _outcome(calls: ServiceCalls, prediction: str) -> Any:
    """Return what a prediction came to; None while it runs."""
    found = await calls.object("GET", path_of("predictions", prediction))
    match found.get("status"):
        case "succeeded":
            if found.get("output") is None:
                raise BadRequest("the model made nothing")
            return found["output"]
        case "failed" | "canceled" | "aborted" as status:
            raise BadRequest(f"the model {status}: {str(found.get('error') or 'no reason')[:300]}")
        case _:
            return None


def text_of(output: Any) -> str:
    """Return *output* as one text: the first of several addresses, the parts of a text together."""
    if isinstance(output, list) and all(isinstance(part, str) for part in output):
        parts = [str(part) for part in output]
        if parts and parts[0].startswith(("https://", "http://", "data:")):
            return parts[0]
        return "".join(parts)
    return output if isinstance(output, str) else json_text(output)
