"""All settings: typed, frozen, read once. Each knows its source; `setting_sources.py` does the reading."""

import base64
import binascii
import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from backend.setting_accounts import AccountSettings, keep_public
from backend.setting_calls import CallSettings
from backend.setting_files import FileStoreSettings
from backend.setting_keys import keys_of, short_key
from backend.setting_notices import NoticeSettings
from backend.setting_places import check_places
from backend.setting_providers import ProviderSettings
from backend.setting_sandbox import SandboxSettings
from backend.setting_sources import (
    Found,
    bad_setting,
    data_dir_from,
    gather,
    gather_config_file,
    make_data_dir,
    text_to_list,
    text_to_object,
    validation_error_as_bad_setting,
)
from backend.setting_tools import ToolSettings
from backend.setting_triggers import TriggerSettings
from backend.setting_watches import WatchingSettings

Port = Annotated[int, Field(ge=0, le=65535)]
TextList = Annotated[tuple[str, ...], BeforeValidator(text_to_list)]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]
Algorithm = Literal[
    "HS256", "HS384", "HS512",
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip

#: Pairs of host and port settings, in start order of their services.
ADDRESSES: Final = (
    ("pyro_host", "database_api_port"),
    ("pyro_host", "execution_scheduler_port"),
    ("pyro_host", "notification_service_port"),
    ("websocket_server_host", "websocket_server_port"),
    ("agent_api_host", "agent_api_port"),
    ("pyro_host", "execution_manager_port"),
)
_FERNET_KEY_BYTES: Final = 32


class _Settings(BaseModel):
    """Those that have no file of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Where things are
    agpt_data_dir: Path = Field(description="Everything that is kept lies here.")
    database_url: str = Field(
        "", description="An address of PostgreSQL; empty: the SQLite file in the data directory."
    )
    rabbitmq_url: str = Field(
        "",
        description="An address of RabbitMQ: with DATABASE_URL, any number of each service share"
        " the work; empty: one machine.",
    )

    # Addresses
    agent_api_host: str = Field("127.0.0.1", description="Where the REST service listens.")
    agent_api_port: Port = Field(8006, description="Port of the REST service.")
    websocket_server_host: str = Field("127.0.0.1", description="Where WebSockets are served.")
    websocket_server_port: Port = Field(8001, description="Port of the WebSocket service.")
    pyro_host: str = Field("localhost", description="Where the internal services listen.")
    execution_manager_port: Port = Field(8002, description="Port of the executor.")
    execution_scheduler_port: Port = Field(8003, description="Port of the scheduler.")
    database_api_port: Port = Field(8005, description="Port of the database manager.")
    notification_service_port: Port = Field(8007, description="Port of the notification service.")
    platform_base_url: str = Field(
        "", description="Address at which webhooks reach the REST service; empty: its own."
    )
    frontend_base_url: str = Field("", description="Public address of the user interface.")
    backend_cors_allow_origins: TextList = Field(
        ("http://localhost:3000",), description="Exact origins, or `regex:` and a pattern."
    )

    # Who may do what
    enable_auth: bool = Field(True, description="False: every caller is the owner; loopback only.")
    jwt_verify_key: SecretStr = Field(SecretStr(""), description="Checks tokens.")
    jwt_sign_algorithm: Algorithm = Field("HS256", description="The one algorithm of tokens.")
    encryption_key: SecretStr = Field(
        SecretStr(""), description="Fernet keys, separated by commas, the newest first."
    )
    unsubscribe_secret_key: SecretStr = Field(
        SecretStr(""), description="Signs the links that end mail notices."
    )
    instance_key: SecretStr = Field(
        SecretStr(""), description="What the services of one installation show each other."
    )

    max_user_requests_per_minute: int = Field(
        600_000, ge=0, description="Requests of one user to the REST API; 0: any."
    )
    max_address_requests_per_minute: int = Field(
        60_000, ge=0, description="Requests of one address without a valid token; 0: any."
    )
    max_key_requests_per_minute: int = Field(
        60_000, ge=0, description="Requests to the external API with one key or app; 0: any."
    )

    # Work
    num_graph_workers: int = Field(100, ge=1, le=1000, description="Runs at once per executor.")
    max_concurrent_graph_executions_per_user: int = Field(
        25, ge=1, le=1000, description="Runs at once per user and graph."
    )
    max_runs_per_user: int = Field(
        0, ge=0, le=1000, description="Runs at once per user; 0: three quarters of the workers."
    )
    max_node_executions_per_run: int = Field(
        1_000_000, ge=1, description="A run that needs more node executions fails."
    )
    max_parallel_nodes_per_run: int = Field(
        100, ge=1, le=10_000, description="Nodes of one run that work at the same time."
    )
    max_outputs_per_node: int = Field(
        100_000, ge=1, description="A node execution that yields more fails."
    )
    max_agent_nesting: int = Field(20, ge=1, le=100, description="How deep agents may run agents.")
    max_node_time_s: float = Field(
        86_400, ge=0, le=2_678_400, description="Seconds for one try of a node; 0: no limit."
    )
    max_run_time_s: float = Field(
        0, ge=0, le=2_678_400, description="Seconds that a run may move; 0: no limit."
    )
    block_threads: int = Field(
        32, ge=1, le=1000, description="Threads at once for blocks that wait without the loop."
    )
    block_processes: int = Field(
        0, ge=0, le=64, description="Worker processes for blocks; 0: one for each processor core."
    )
    block_process_time_limit_s: float = Field(
        600.0, ge=0, le=86_400, description="Seconds of one call of a worker process; 0: any."
    )
    block_process_memory_mb: int = Field(
        1024, ge=0, le=1_048_576, description="Megabytes of one worker process; 0: any."
    )
    block_process_value_mb: int = Field(
        16, ge=1, le=1024, description="Megabytes of one value to or from a worker process."
    )
    max_media_duration_s: float = Field(
        14_400.0, gt=0, le=864_000, description="Seconds of a video that a block makes."
    )
    max_file_size_mb: int = Field(100, ge=1, le=10_240, description="Megabytes of one file.")
    max_run_files_mb: int = Field(
        1024, ge=1, le=1_048_576, description="Megabytes of all files of one run."
    )
    max_files_per_run: int = Field(10_000, ge=1, le=1_000_000, description="Files of one run.")
    max_inline_file_mb: int = Field(
        10, ge=1, le=12, description="Megabytes of a file that may travel inside a value."
    )
    max_inline_value_kb: int = Field(
        256,
        ge=16,
        le=16_384,
        description="Kilobytes of a value in a row; a larger one goes to a file of its run.",
    )
    max_value_mb: int = Field(
        16, ge=1, le=1024, description="Megabytes of one value that a run is given or makes."
    )
    max_memory_value_kb: int = Field(
        1024, ge=1, le=16_384, description="Kilobytes of one value that an agent remembers."
    )
    max_memory_keys_per_user: int = Field(
        10_000, ge=1, le=1_000_000, description="Values that one user's agents remember."
    )
    enable_credit: bool = Field(False, description="True: runs are paid for, from a ledger here.")
    num_user_credits_refill: int = Field(
        1500, ge=0, le=1_000_000_000, description="Each balance is filled up to it once a month."
    )
    low_balance_threshold: int = Field(500, ge=0, description="Who has fewer credits is told.")
    block_prices: Annotated[dict[str, int], BeforeValidator(text_to_object)] = Field(
        default_factory=dict,
        description="JSON object: a block's name or id to what one execution of it costs.",
    )
    cron_dialect: Literal["posix", "autogpt"] = Field(
        "posix", description="`autogpt`: weekday 0 is Monday."
    )
    retention_days: int = Field(
        90,
        ge=0,
        le=36_500,
        description="Ended runs, notices, letters and sums of usage by agent go after so many days; 0: never.",
    )
    audit_retention_days: int = Field(
        365,
        ge=0,
        le=36_500,
        description="Rows of the audit log are deleted after so many days; 0: never.",
    )
    retention_runs_per_graph: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Of one user's runs of one graph only the newest so many stay; 0: all.",
    )
    upgrade_restore_point: Literal["copy", "backup", "none"] = Field(
        "copy",
        description="Before tables change: copy a SQLite file; `backup`: an archive, of PostgreSQL too.",
    )
    sqlite_synchronous: Literal["FULL", "NORMAL", "EXTRA"] = Field(
        "FULL", description="NORMAL may lose the last commits when the power fails."
    )
    max_message_size_limit: int = Field(
        16_777_216, ge=65_536, le=1_073_741_824, description="Bytes of one event."
    )

    # The world outside
    trust_endpoints_for_requests: TextList = Field(
        (), description="Private addresses that blocks may call, with or without a port."
    )
    provider_base_urls: Annotated[dict[str, str], BeforeValidator(text_to_object)] = Field(
        default_factory=dict, description="JSON object: provider to address."
    )
    clamav_service_enabled: bool = Field(True, description="Uploads are scanned for viruses.")
    clamav_service_host: str = Field(
        "", description="Where clamd is; empty: on this machine, if it answers there."
    )
    clamav_service_port: Port = Field(3310, description="Port of clamd.")

    # Running it
    app_env: Literal["local", "dev", "prod"] = Field("local", description="`prod`: no local pages.")
    behave_as: Literal["local", "cloud"] = Field("local", description="Kind of product.")
    log_level: LogLevel = Field("info", description="The least severe thing that is logged.")
    database_manager_log_level: LogLevel = Field(
        "warning", description="The same for the database manager."
    )
    stop_limit_s: float = Field(
        10.0, gt=0, le=3600, description="A service that has not stopped by then is killed."
    )

    @model_validator(mode="after")
    def _normalise(self) -> Self:
        for name in ("platform_base_url", "frontend_base_url"):
            url = getattr(self, name)
            if url and not url.startswith(("http://", "https://")):
                message = f"{name}|must start with http:// or https://"
                raise ValueError(message)
            # A frozen model may still finish its own construction.
            object.__setattr__(self, name, url.rstrip("/"))
        if self.app_env == "prod":
            keep_public(self, "backend_cors_allow_origins")
        return self

    def rest_address(self, port: int | None = None) -> str:
        """Return `http://host:port` of the REST service; *port* stands before the setting's."""
        # These mean all addresses of this machine; loopback is the one to call.
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - see above
        host = everywhere.get(self.agent_api_host, self.agent_api_host)
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port or self.agent_api_port}"

    def to_json(self) -> str:
        """Return everything *with its secrets*, for a child process; never for a log or a file."""
        values = self.model_dump()
        return json.dumps(
            {
                name: value.get_secret_value() if isinstance(value, SecretStr) else value
                for name, value in values.items()
            },
            default=str,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Undo `to_json`."""
        return cls.model_validate_json(text)


class Settings(
    CallSettings,
    ProviderSettings,
    AccountSettings,
    SandboxSettings,
    ToolSettings,
    NoticeSettings,
    FileStoreSettings,
    TriggerSettings,
    WatchingSettings,
    _Settings,
):
    """Every setting of the server. The environment name is the field's name in capitals."""


SECRETS: Final = frozenset(
    name for name, field in Settings.model_fields.items() if field.annotation is SecretStr
)


def load_settings(
    overrides: Mapping[str, object] | None = None,
) -> tuple[Settings, dict[str, str]]:
    """
    Read all settings and say where each came from.

    Makes the data directory and the keys if they are not there.

    Args:
        overrides: What the command line says, by field name.

    Returns:
        The settings, and by field name one of: command line, environment, .env, the config
        file's path, the key file's path, default.

    Raises:
        BadSetting: If a value cannot be used; names the setting, its source and what is allowed.
        CannotStart: If the data directory cannot be used.
    """
    names = frozenset(Settings.model_fields)
    found = gather(names, overrides or {})
    data_dir, source = data_dir_from(found)
    make_data_dir(data_dir, source)
    for name, entry in gather_config_file(names, data_dir).items():
        found.setdefault(name, entry)
    found["agpt_data_dir"] = (data_dir, source)
    check_places(found)
    explicit_key = bool(found.get("jwt_verify_key", ("", ""))[0])
    if not explicit_key and str(found.get("jwt_sign_algorithm", ("HS256",))[0])[:2] != "HS":
        raise bad_setting(
            "jwt_sign_algorithm", found, "needs JWT_VERIFY_KEY, a public key in PEM form", SECRETS
        )
    if str(found.get("jwt_jwks_url", ("",))[0]) and explicit_key:
        algorithm = str(found.get("jwt_sign_algorithm", ("HS256",))[0])
        if not algorithm.startswith("HS"):
            raise bad_setting(
                "jwt_jwks_url", found, "it has the public keys; unset JWT_VERIFY_KEY", SECRETS
            )
    for name, (key, path) in keys_of(data_dir, found).items():
        found[name] = (key, path)
    try:
        settings = Settings(**{name: value for name, (value, _) in found.items()})
    except ValueError as exc:
        raise validation_error_as_bad_setting(exc, found, SECRETS) from None
    _check(settings, found, explicit_key=explicit_key)
    return settings, {
        name: found[name][1] if name in found else "default" for name in Settings.model_fields
    }


def _check(settings: Settings, found: Found, *, explicit_key: bool) -> None:
    """Check what concerns more than one setting."""
    for name in dict.fromkeys(host for host, _ in ADDRESSES):
        if _is_loopback(getattr(settings, name)):
            continue
        if not settings.enable_auth:
            raise bad_setting(name, found, "with ENABLE_AUTH=false only a loopback host", SECRETS)
        if not explicit_key:
            raise bad_setting(
                name, found, "other than a loopback host it needs JWT_VERIFY_KEY to be set", SECRETS
            )
        if short := short_key(found, signs=settings.jwt_sign_algorithm.startswith("HS")):
            allowed = f"at least 32 characters, drawn, as {name.upper()} lets others in"
            raise bad_setting(short, found, allowed, SECRETS)
    _check_ports(settings, found)
    for key in settings.encryption_key.get_secret_value().split(","):
        if not _is_fernet_key(key.strip()):
            allowed = "Fernet keys, separated by commas; `agpt gen-encrypt-key` makes one"
            raise bad_setting("encryption_key", found, allowed, SECRETS)


def _check_ports(settings: Settings, found: Found) -> None:
    taken: dict[int, str] = {}
    for _, name in ADDRESSES:
        port = getattr(settings, name)
        if port and port in taken:
            raise bad_setting(name, found, f"{taken[port].upper()} is the same port", SECRETS)
        taken[port] = name


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == _FERNET_KEY_BYTES
    except (binascii.Error, ValueError):
        return False
