"""Nonsense from a seed: no crash, no 5xx, nothing that hangs. Half an hour of it with `make chaos`."""

import os
import secrets
import time
from collections.abc import Iterator
from random import Random

import pytest

from tests.contract.owners import Owner
from tests.contract.rest_server import ANN, rest_server
from tests.security import fuzz
from tests.unit.api.ws.ws_server import ws_server

SEED = 20_261_126
#: How long each of the five goes on with `make chaos`.
LONG_S = float(os.environ.get("AGPT_FUZZ_S", "1800")) / 5


def times(count: int, long_s: float = 0) -> Iterator[int]:
    """Yield numbers: *count* of them, or as long as *long_s* lasts."""
    until, number = time.monotonic() + long_s, 0
    while number < count or (long_s and time.monotonic() < until):
        yield number
        number += 1


async def bodies(random: Random, count: int, long_s: float = 0) -> None:
    async with rest_server() as server:
        for number in times(count, long_s):
            # Some of it deletes what the rest needs: now and then somebody new begins.
            owner = Owner(server, ANN if number < 50 else f"{ANN}-{number // 50}")
            if number % 50 == 0:
                await owner.make_all()
                known = owner
            await fuzz.body(random, known)


async def graphs(random: Random, count: int, long_s: float = 0) -> None:
    async with rest_server() as server:
        for _ in times(count, long_s):
            await fuzz.graph(random, server)


async def frames(random: Random, count: int, long_s: float = 0) -> None:
    async with ws_server() as server:
        for _ in times(count, long_s):
            await fuzz.frame(random, server)


def crons(random: Random, count: int, long_s: float = 0) -> None:
    for _ in times(count, long_s):
        fuzz.cron(random)


def templates(random: Random, count: int, long_s: float = 0) -> None:
    for _ in times(count, long_s):
        fuzz.template(random)


@pytest.mark.slow
async def test_spoiled_bodies() -> None:
    await bodies(Random(SEED), 250)


async def test_spoiled_graphs() -> None:
    await graphs(Random(SEED), 200)


async def test_spoiled_frames() -> None:
    await frames(Random(SEED), 15)


def test_spoiled_crons() -> None:
    crons(Random(SEED), 2_000)


def test_spoiled_templates() -> None:
    templates(Random(SEED), 1_000)


@pytest.fixture
def seed() -> Random:
    number = int(os.environ.get("AGPT_FUZZ_SEED") or secrets.randbits(32))
    print(f"AGPT_FUZZ_SEED={number}")  # noqa: T201 -- shown when it fails
    return Random(number)


@pytest.mark.chaos
async def test_spoiled_bodies_for_long(seed: Random) -> None:
    await bodies(seed, 1, LONG_S)


@pytest.mark.chaos
async def test_spoiled_graphs_for_long(seed: Random) -> None:
    await graphs(seed, 1, LONG_S)


@pytest.mark.chaos
async def test_spoiled_frames_for_long(seed: Random) -> None:
    await frames(seed, 1, LONG_S)


@pytest.mark.chaos
def test_spoiled_crons_for_long(seed: Random) -> None:
    crons(seed, 1, LONG_S)


@pytest.mark.chaos
def test_spoiled_templates_for_long(seed: Random) -> None:
    templates(seed, 1, LONG_S)
