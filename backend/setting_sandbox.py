"""Settings of the sandboxes that run code of users. Part of settings.py, apart for its size."""

from typing import Literal

from pydantic import BaseModel, Field


class SandboxSettings(BaseModel):
    """Where code of users is run, and how much of the machine it may take."""

    code_sandbox: Literal["auto", "bubblewrap", "monty", "off"] = Field(
        "auto",
        description="What runs code: `bubblewrap` all of Python and bash, `monty` a part of "
        "Python; `auto`: the first of them that works here.",
    )
    code_sandbox_count: int = Field(
        4, ge=1, le=256, description="Sandboxes that work at once; further ones wait."
    )
    code_sandbox_kept: int = Field(
        16, ge=1, le=1000, description="Sandboxes that wait for a further step; half for one user."
    )
    code_sandbox_time_limit_s: float = Field(
        300.0, gt=0, le=86_400, description="Seconds of code, and of a sandbox that is kept."
    )
    code_sandbox_memory_mb: int = Field(
        512, ge=64, le=1_048_576, description="Megabytes of all processes of one sandbox."
    )
    code_sandbox_disk_mb: int = Field(
        64, ge=1, le=16_384, description="Megabytes of the files of one sandbox, held in memory."
    )
    code_sandbox_output_kb: int = Field(
        1024, ge=1, le=16_384, description="Kilobytes that code prints or returns."
    )
    code_sandbox_processes: int = Field(
        64, ge=8, le=4096, description="Processes and threads of one sandbox."
    )
