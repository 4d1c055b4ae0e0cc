"""Rows, files, memory, worker processes, sandboxes, limits, behind their ports. Part of wiring.py: servers and lone runs share it."""

import os
from contextlib import AsyncExitStack
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from backend.adapters.database_place import Place, place_at
from backend.adapters.files import FolderFiles
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.memory import SqlMemories
from backend.core.budgets import BudgetDefaults
from backend.ports.files import FileLimits, Files
from backend.ports.processes import ProcessLimits
from backend.ports.sandbox import SandboxLimits
from backend.ports.web import WebDownloads
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.adapters.files.bucket import Bucket
    from backend.adapters.files.trees import BucketTree
    from backend.adapters.processes import WorkerPool
    from backend.adapters.sandbox import ChosenSandboxes
    from backend.adapters.storage.value_files import ValueStore
    from backend.engine.tools import Limits
    from backend.sdk.files import FileDesk

_MEGABYTE = 1024 * 1024
_MICRO = 1_000_000


def open_rows(
    settings: Settings, where: Place | Path, *, durable: bool = True, owner: str = ""
) -> SqlStorage:
    """Return the storage in the database at *where*; its tables must be there."""
    place = place_at(where)
    return open_storage(
        place.path,
        url=place.url,
        owner=owner,
        synchronous=settings.sqlite_synchronous if durable else "OFF",
        large=place.values,
        inline_bytes=settings.max_inline_value_kb * 1024,
        value_bytes=settings.max_value_mb * _MEGABYTE,
    )


def bucket_of(settings: Settings) -> "Bucket | None":
    """Return the bucket in which files lie; None: they lie in the data directory."""
    if not settings.files_url:
        return None
    from backend.adapters.files.bucket import Bucket, BucketPlace  # most have none

    bucket, _, prefix = settings.files_url.removeprefix("s3://").partition("/")
    return Bucket(
        BucketPlace(
            bucket=bucket,
            prefix=prefix,
            endpoint=settings.aws_endpoint_url,
            region=settings.aws_region,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=settings.aws_secret_access_key.get_secret_value(),
            session_token=settings.aws_session_token.get_secret_value(),
        )
    )


def bucket_tree(settings: Settings) -> "BucketTree | None":
    """Return all files in the bucket, for what copies them; None: they lie in the data directory."""
    bucket = bucket_of(settings)
    if bucket is None:
        return None
    from backend.adapters.files.trees import BucketTree

    return BucketTree(bucket)


def large_values(settings: Settings) -> "ValueStore | None":
    """Return where large values lie; None: in files in the data directory."""
    bucket = bucket_of(settings)
    if bucket is None:
        return None
    from backend.adapters.storage.bucket_values import BucketValues

    return BucketValues(bucket)


def open_files(settings: Settings, *, durable: bool = True) -> Files:
    """Return the files of this installation."""
    limits = FileLimits(
        file_bytes=settings.max_file_size_mb * _MEGABYTE,
        run_bytes=settings.max_run_files_mb * _MEGABYTE,
        run_files=settings.max_files_per_run,
    )
    folder, bucket = settings.agpt_data_dir / "files", bucket_of(settings)
    if bucket is None:
        return FolderFiles(folder, limits, durable=durable)
    from backend.adapters.files.bucket_files import BucketFiles

    return BucketFiles(bucket, folder, limits)


def file_desk(settings: Settings, web: WebDownloads, *, durable: bool = True) -> "FileDesk":
    """Return what blocks reach files through."""
    from backend.sdk.files import FileDesk  # services without blocks do without

    inline_bytes = settings.max_inline_file_mb * _MEGABYTE
    return FileDesk(
        open_files(settings, durable=durable),
        web,
        inline_bytes=inline_bytes,
        media_s=settings.max_media_duration_s,
    )


def memories_of(settings: Settings, storage: SqlStorage) -> SqlMemories:
    """Return what agents remember."""
    return SqlMemories(
        storage.database,
        value_bytes=settings.max_memory_value_kb * 1024,
        keys=settings.max_memory_keys_per_user,
    )


def worker_pool(settings: Settings, stack: AsyncExitStack) -> "WorkerPool":
    """Return the worker processes of one service, started as needed; *stack* ends them."""
    from backend.adapters.processes import WorkerPool

    limits = ProcessLimits(
        count=settings.block_processes or os.cpu_count() or 1,
        time_s=settings.block_process_time_limit_s,
        memory_bytes=settings.block_process_memory_mb * _MEGABYTE,
        value_bytes=settings.block_process_value_mb * _MEGABYTE,
    )
    # All settings may stand in the environment, and some are secret: a worker needs none.
    hidden = [name.upper() for name in Settings.model_fields]
    pool = WorkerPool(limits, hidden=hidden)
    stack.push_async_callback(pool.close)
    return pool


def sandboxes_of(settings: Settings, stack: AsyncExitStack) -> "ChosenSandboxes":
    """Return the sandboxes of one service, found out and started as needed; *stack* ends them."""
    from backend.adapters.sandbox import ChosenSandboxes, Kind

    limits = SandboxLimits(
        count=settings.code_sandbox_count,
        kept=settings.code_sandbox_kept,
        time_s=settings.code_sandbox_time_limit_s,
        memory_bytes=settings.code_sandbox_memory_mb * _MEGABYTE,
        disk_bytes=settings.code_sandbox_disk_mb * _MEGABYTE,
        output_bytes=settings.code_sandbox_output_kb * 1024,
        processes=settings.code_sandbox_processes,
    )
    sandboxes = ChosenSandboxes(Kind(settings.code_sandbox), limits)
    stack.push_async_callback(sandboxes.close)
    return sandboxes


def engine_limits(settings: Settings) -> "Limits":
    """Return how much one run may take."""
    from backend.core.call_prices import known_prices
    from backend.engine.tools import Limits
    from backend.sdk import DecisionBounds

    return Limits(
        parallel_nodes=settings.max_parallel_nodes_per_run,
        node_executions=settings.max_node_executions_per_run,
        outputs_per_node=settings.max_outputs_per_node,
        value_bytes=settings.max_value_mb * 1024 * 1024,
        nesting=settings.max_agent_nesting,
        node_s=settings.max_node_time_s,
        run_s=settings.max_run_time_s,
        block_threads=settings.block_threads,
        runs_per_graph=settings.max_concurrent_graph_executions_per_user,
        runs_per_user=settings.max_runs_per_user,
        model_tries=settings.max_model_tries,
        model_wait_s=settings.max_model_wait_s,
        decisions=DecisionBounds(
            rounds=settings.max_decision_rounds,
            calls=settings.max_decision_calls,
            tokens=settings.max_decision_tokens,
            time_s=settings.max_decision_time_s,
        ),
        budgets=BudgetDefaults(
            run=round(settings.run_budget_usd * _MICRO),
            user_day=round(settings.user_daily_budget_usd * _MICRO),
        ),
        call_prices=known_prices(
            files("backend.core").joinpath("call_prices.json").read_bytes(), settings.call_prices
        ),
    )
