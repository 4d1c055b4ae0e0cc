"""What the command line asks a running server over HTTP. Other modules of ours stay unimported."""

import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlsplit

from backend.core.errors import AgentServerError, BadRequest, GraphInvalid, NotAllowed, Unavailable

if TYPE_CHECKING:
    import httpx2

CONNECT_S: Final = 5.0
ANSWER_S: Final = 60.0
#: A token that the command line makes for itself need not outlive its run.
_TOKEN_S: Final = 24 * 3600
_REFUSED: Final = 400
_UNAUTHORIZED: Final = (401, 403)
#: The last of server-sent events.
_ALL_SAID: Final = "[DONE]"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server is: `scheme://host:port`, without a path."""

    origin: str
    host: str

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def address_of(text: str) -> Address:
    """
    Read `http://host:8006`, with or without `/api`; `host:port` means http.

    Raises:
        BadRequest: If it is no address of a server.
    """
    full = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(full)
        port = parts.port
        (parts.hostname or "").encode(
            "idna"
        )  # what cannot be a name fails here, not while dialling
    except ValueError as exc:
        raise BadRequest(f"{text!r} is no address of a server: {exc}.") from exc
    path = parts.path.rstrip("/")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or any(map(str.isspace, text))
        or parts.username is not None
        or path not in ("", "/api")
        or parts.query
    ):
        raise BadRequest(f"{text!r} is no address of a server; write it like http://host:8006.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    return Address(origin=origin, host=parts.hostname)


def local_address(overrides: Mapping[str, Any]) -> Address:
    """Return where the settings say that this machine's server listens."""
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    settings, _ = load_settings(overrides)
    return address_of(settings.rest_address())


@dataclass(kw_only=True)
class Server:
    """A running server. Close it, or use it in a `with`."""

    address: Address
    token: str | None
    _client: "httpx2.Client" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import httpx2  # noqa: PLC0415 -- heavy, and `agpt --help` does without

        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self._client = httpx2.Client(
            headers=headers,
            timeout=_timeout(ANSWER_S),
            # A proxy would see the token, and has no way to this machine's loopback.
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Twice is harmless."""
        self._client.close()

    def create_graph(self, graph: Mapping[str, Any]) -> Any:
        """Save a graph; return it with its ids."""
        answer = self.ask("POST", "/api/graphs", {"graph": graph, "source": "upload"})
        return self._object(answer, "id", "version", "nodes")

    def delete_graph(self, graph_id: str) -> None:
        """Delete all versions of a graph."""
        self.ask("DELETE", f"/api/graphs/{quote(graph_id, safe='')}")

    def export(self, graph_id: str, version: int | None) -> Any:
        """Return a graph as a file for others; the highest version when none is named."""
        number = "" if version is None else f"&version={version}"
        answer = self.ask("GET", f"/api/graphs/{quote(graph_id, safe='')}?for_export=true{number}")
        return self._object(answer, "id", "nodes")

    def start(self, graph_id: str, version: int, inputs: Mapping[str, Any]) -> Any:
        """Start a run."""
        path = f"/api/graphs/{quote(graph_id, safe='')}/execute/{version}"
        return self._object(self.ask("POST", path, {"inputs": inputs}), "id")

    def run(self, graph_id: str, run_id: str) -> Any:
        """Return a run with its outputs and node executions."""
        answer = self.ask("GET", self._run_path(graph_id, run_id))
        return self._object(answer, "id", "status", "outputs", "stats", "node_executions")

    def stop(self, graph_id: str, run_id: str) -> None:
        """Stop a run and wait for its end."""
        self.ask("POST", f"{self._run_path(graph_id, run_id)}/stop")

    def _object(self, answer: Any, *names: str) -> Any:
        if not isinstance(answer, dict) or not answer.keys() >= set(names):
            raise Unavailable(f"{self.address.origin} is no agent server: it answers otherwise.")
        return answer

    def _run_path(self, graph_id: str, run_id: str) -> str:
        return f"/api/graphs/{quote(graph_id, safe='')}/executions/{quote(run_id, safe='')}"

    def ask(self, method: str, path: str, body: Any = None, *, limit_s: float = ANSWER_S) -> Any:
        """
        Return the answer's JSON, which comes within *limit_s* seconds.

        Raises:
            Unavailable: If nobody answers in time.
            NotAllowed: If the server does not accept the token.
            BadRequest: If it refuses the request; says why.
        """
        origin = self.address.origin
        with _explained(origin, self.address, limit_s):
            response = self._client.request(
                method, f"{origin}{path}", json=body, timeout=_timeout(limit_s)
            )
        return _answer(response, origin)

    @contextmanager
    def stream(
        self, path: str, body: Any, headers: Mapping[str, str]
    ) -> Iterator[tuple[Mapping[str, str], Iterator[Any]]]:
        """
        POST *body*, and give the answer's headers and the JSON of its server-sent events as they come.

        Raises what `ask` does, the iterator Unavailable if the answer breaks off.
        """
        origin = self.address.origin
        with (
            _explained(origin, self.address),
            self._client.stream("POST", f"{origin}{path}", json=body, headers=headers) as response,
        ):
            if response.status_code >= _REFUSED:
                response.read()
                _answer(response, origin)
            yield response.headers, _events(response, origin)


@contextmanager
def _explained(origin: str, address: Address, limit_s: float = ANSWER_S) -> Iterator[None]:
    """Say in a sentence what keeps a server from answering."""
    import httpx2  # noqa: PLC0415 -- loaded already

    try:
        yield
    except httpx2.ConnectTimeout as exc:
        raise Unavailable(f"{origin} does not answer within {CONNECT_S:.0f} s.") from exc
    except httpx2.TimeoutException as exc:
        raise Unavailable(f"{origin} does not answer within {limit_s:.0f} s.") from exc
    except httpx2.ConnectError as exc:
        hint = " `agpt start` starts it." if address.is_loopback else ""
        raise Unavailable(f"No server answers at {origin}.{hint}") from exc
    except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
        raise Unavailable(f"{origin} did not answer properly: {exc or 'no answer'}.") from exc


def _timeout(limit_s: float) -> "httpx2.Timeout":
    import httpx2  # noqa: PLC0415 -- heavy, and `agpt --help` does without

    return httpx2.Timeout(limit_s, connect=CONNECT_S)


def _events(response: "httpx2.Response", origin: str) -> Iterator[Any]:
    """Yield events until the one that says that they are all; comments keep the line open."""
    for line in response.iter_lines():
        name, _, text = line.partition(":")
        if name != "data":
            continue
        if text.strip() == _ALL_SAID:
            return
        try:
            yield json.loads(text)
        except ValueError:
            raise Unavailable(f"{origin} is no agent server: it streams otherwise.") from None
    raise Unavailable(f"{origin} broke off in the middle of its answer.")


def server_at(
    server: str | None, token: str | None, overrides: Mapping[str, Any] | None = None
) -> Server:
    """
    Return the server at the address *server*, or this machine's own.

    The owner's token is made and sent only on loopback; elsewhere *token* or AGPT_TOKEN is.
    """
    overrides = overrides or {}
    address = address_of(server) if server else local_address(overrides)
    given = token or os.environ.get("AGPT_TOKEN") or None
    return Server(address=address, token=given or own_token(address, overrides))


def own_token(address: Address, overrides: Mapping[str, Any]) -> str | None:
    """Return a token for the owner, made from this machine's key; None for other machines."""
    if not address.is_loopback:
        return None
    from backend.cli.server import make_token  # noqa: PLC0415 -- POSIX-only

    return make_token(overrides, _TOKEN_S)


def data_dir_overrides(data_dir: Path | None) -> dict[str, Any]:
    """Return what `load_settings` wants to hear of the command line."""
    return {} if data_dir is None else {"agpt_data_dir": str(data_dir)}


def _answer(response: "httpx2.Response", origin: str) -> Any:
    if response.status_code in _UNAUTHORIZED:
        raise NotAllowed(
            f"{origin} does not accept the token. `agpt token` prints one for this machine's"
            " server; give another server's with --token or AGPT_TOKEN."
        )
    try:
        answer = response.json() if response.content else None
    except ValueError:
        raise Unavailable(
            f"{origin} answered {response.status_code} without JSON: it is no agent server."
        ) from None
    if response.status_code >= _REFUSED:
        raise _refusal(answer, response.status_code, origin)
    return answer


def _refusal(answer: Any, status: int, origin: str) -> AgentServerError:
    detail = answer.get("detail") if isinstance(answer, dict) else None
    text = f"{origin} answered {status}"
    if isinstance(detail, str):
        text = f"{text}: {detail}"
    elif isinstance(detail, dict) and isinstance(detail.get("node_errors"), dict):
        return GraphInvalid(str(detail.get("message", text)), detail["node_errors"])
    elif isinstance(detail, list):
        text = "\n".join([f"{text}:", *(f"  {_place(item)}" for item in detail)])
    return BadRequest(text) if status < 500 else Unavailable(text)  # noqa: PLR2004 -- 5xx


def _place(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    where = ".".join(map(str, item.get("loc", ())))
    return f"{where}: {item.get('msg', 'is wrong')}"
