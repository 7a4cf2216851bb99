"""The queue before the worker: turns, places, jobs given up and jobs that take too long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")

from vqspeech.web.job_queue import JobQueue
from vqspeech.web.refusals import Refused

LONG = {"speaker": "anna", "f0": "target", "f0_shift": 0.0, "seed": 0, "temperature": 1.0, "post_filter": 0.0}


def with_queue(settings: dict[str, Any], work: Callable[[JobQueue], Awaitable[None]], seconds: float = 600) -> None:
    async def run() -> None:
        queue = JobQueue(settings, seconds, keep=True)
        try:
            await work(queue)
            assert queue.length == 0
        finally:
            queue.worker.stop()

    asyncio.run(run())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A job that takes minutes, and one that does not."""
    made = []
    for name, seconds in (("long", 300), ("short", 0.5)):
        folder = tmp_path / name
        folder.mkdir()
        np.random.default_rng(0).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32).tofile(
            folder / "source.f32"
        )
        made.append(folder)
    return made[0], made[1]


def test_a_job_given_up_lets_the_next_one_in(settings: dict[str, Any], folders: tuple[Path, Path]) -> None:
    async def work(queue: JobQueue) -> None:
        begun = asyncio.Event()
        events: list[dict[str, Any]] = []

        def notify(event: dict[str, Any]) -> None:
            if event.get("what") == "speaking":
                begun.set()

        first = asyncio.ensure_future(queue.run("convert", folders[0], LONG, notify))
        second = asyncio.ensure_future(queue.run("convert", folders[1], LONG, events.append))
        third = asyncio.ensure_future(queue.run("convert", folders[1], LONG, lambda _: None))
        await asyncio.wait_for(begun.wait(), 120)
        assert queue.length == 3
        process = queue.worker._process
        third.cancel()
        first.cancel()
        result = await asyncio.wait_for(second, 120)
        assert result["seconds"] == 0.5
        assert events[0] == {"event": "queued", "ahead": 1}
        assert queue.worker._process is process  # it let go of the job; it was not killed
        await asyncio.wait({first, third})

    with_queue(settings, work)


def test_a_job_that_takes_too_long_is_given_up(settings: dict[str, Any], folders: tuple[Path, Path]) -> None:
    async def work(queue: JobQueue) -> None:
        await queue.worker.start()
        with pytest.raises(Refused, match=r"given up after 0\.03\d* minutes"):
            await queue.run("convert", folders[0], LONG, lambda _: None)
        queue.seconds = 120
        assert (await queue.run("convert", folders[1], LONG, lambda _: None))["seconds"] == 0.5

    with_queue(settings, work, seconds=2)


def test_a_worker_that_dies_in_a_job_is_said(settings: dict[str, Any], folders: tuple[Path, Path]) -> None:
    async def work(queue: JobQueue) -> None:
        def kill(event: dict[str, Any]) -> None:
            if event["event"] == "progress" and queue.worker._process is not None:
                queue.worker._process.kill()

        with pytest.raises(Refused, match="the process that computes has ended"):
            await queue.run("convert", folders[0], LONG, kill)
        assert (await queue.run("convert", folders[1], LONG, lambda _: None))["seconds"] == 0.5

    with_queue(settings, work)


def test_a_model_that_is_not_there_is_one_line(settings: dict[str, Any], tmp_path: Path) -> None:
    async def work(queue: JobQueue) -> None:
        with pytest.raises(Refused, match=r"^no config.yaml in it"):
            await queue.run("convert", tmp_path, LONG, lambda _: None)

    with_queue({**settings, "model": str(tmp_path)}, work)
