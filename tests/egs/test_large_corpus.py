"""egs/large_corpus: the same bytes from this machine, a Slurm that requeues jobs, a Ray cluster that loses a node."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from one_node import Slurm, one_node

from vqspeech import api
from vqspeech.cli.main import main
from vqspeech.codes.mapped_codes import MappedCodes
from vqspeech.encoding import shards as encoding_shards
from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset

REPO = Path(__file__).parents[2]
RUN = REPO / "egs/large_corpus/run.sh"
#: Seconds that anything may take on a busy machine.
PATIENCE = 900.0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of four recordings many times over, and a model with random weights."""
    folder = tmp_path_factory.mktemp("corpus")
    generator = np.random.default_rng(0)
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", 0.1 * generator.standard_normal(12_000 + 999 * number), 16_000)
    rows = ({"path": str(folder / f"{n % 4}.wav"), "id": f"u{n}"} for n in range(4000))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    torch.manual_seed(0)
    network = VQVAE(read_preset("tiny", ()).model, ("anna",))
    network.quantizer.start(torch.randn(2000, 32))
    save_model(network, folder / "model")
    return folder


def run(corpus: Path, exp: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(RUN), "--source", str(corpus / "rows.jsonl"), "--model", str(corpus / "model"), "--exp", str(exp)]
    return subprocess.run(
        [*command, "--shards", "4", *words],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
    )


def joined(exp: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (exp / "codes").iterdir()}


@pytest.fixture(scope="module")
def nightly() -> None:
    """Skip what takes minutes: before the fixtures that a module shares, which take their time, too."""
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("takes minutes: tests/nightly.sh runs it")


@pytest.fixture(scope="module")
def expected(nightly: None, corpus: Path) -> dict[str, bytes]:
    """What this machine makes."""
    ended = run(corpus, corpus / "local", "--nj", "2")
    assert ended.returncode == 0, ended.stderr
    found = joined(corpus / "local")
    assert json.loads(found["codes.json"])["utterances"] == 4000
    return found


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def under_way(shards: Path) -> bool:
    """Whether some shard has come half the way of its first pieces."""
    return any(path.stat().st_size > 20_000 for path in shards.glob(".codes.*.part"))


def test_an_engine_that_is_none(corpus: Path, tmp_path: Path) -> None:
    ended = run(corpus, tmp_path, "--engine", "kubernetes")
    assert ended.returncode == 2
    assert "--engine takes local, slurm or ray" in ended.stderr


def test_an_engine_that_takes_no_jobs(corpus: Path, tmp_path: Path) -> None:
    """The message is about the engine, and not about logs and shards that are not there."""
    ended = run(corpus, tmp_path / "exp", "--engine", "slurm", PATH=programs_without_slurm(tmp_path / "bin"))
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "there is no sbatch" in ended.stderr
    refusing = tmp_path / "bin/sbatch"
    refusing.write_text("#!/bin/sh\necho 'sbatch: error: Memory specification can not be satisfied' >&2\nexit 1\n")
    refusing.chmod(0o755)
    ended = run(corpus, tmp_path / "exp", "--engine", "slurm", PATH=str(tmp_path / "bin"))
    assert ended.returncode == 1
    assert "Memory specification" in ended.stderr
    assert "slurm has begun no shard" in ended.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no address"])
def test_a_ray_cluster_that_is_not_there(corpus: Path, tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'vqspeech[ray]'")
    ended = run(corpus, tmp_path / "exp", "--engine", "ray", "--address", address)
    assert ended.returncode == 1
    assert f"ray_encode.py: {address}: " in ended.stderr
    assert "ray has begun no shard" in ended.stderr
    assert "Traceback" not in ended.stderr


def programs_without_slurm(folder: Path) -> str:
    """A PATH of what the recipe needs, and no more."""
    folder.mkdir()
    for name in ("bash", "sh", "env", "dirname", "mkdir", "realpath", "cat", "sed"):
        (folder / name).symlink_to(str(shutil.which(name)))
    (folder / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python3").chmod(0o755)
    (folder / "vqspeech").symlink_to(Path(sys.executable).parent / "vqspeech")
    return str(folder)


def test_this_machine_encodes_and_joins(corpus: Path, tmp_path: Path) -> None:
    rows = (corpus / "rows.jsonl").read_text().splitlines(keepends=True)[:40]
    (tmp_path / "rows.jsonl").write_text("".join(rows))
    (tmp_path / "model").symlink_to(corpus / "model")
    ended = run(tmp_path, tmp_path / "exp", "--nj", "2", "--shards", "2")
    assert ended.returncode == 0, ended.stderr
    found = joined(tmp_path / "exp")
    assert json.loads(found["codes.json"])["utterances"] == 40
    alone = api.load(corpus / "model").encode(corpus / "1.wav")
    assert MappedCodes(tmp_path / "exp/codes")["u5"].tolist() == alone.tolist()


def test_ids_that_are_there_twice_are_found_before_any_job_begins(corpus: Path, tmp_path: Path) -> None:
    rows = (corpus / "rows.jsonl").read_text().splitlines(keepends=True)[:40]
    (tmp_path / "rows.jsonl").write_text("".join([*rows, rows[0]]))
    (tmp_path / "model").symlink_to(corpus / "model")
    ended = run(tmp_path, tmp_path / "exp", "--shards", "2")
    assert ended.returncode == 1
    assert "u0 is there twice" in ended.stdout
    assert "correct" in ended.stderr
    assert not (tmp_path / "exp/shards").exists()
    (tmp_path / "rows.jsonl").write_text("".join(rows))
    for _ in range(2):  # looked through once
        ended = run(tmp_path, tmp_path / "exp", "--shards", "2")
        assert ended.returncode == 0, ended.stderr
        assert ("in order" in ended.stdout) == (_ == 0)


def test_fifty_kills_of_four_shards(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four jobs side by side, one of them killed at any moment, most often while it encodes, and started again."""
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("takes minutes: tests/nightly.sh runs it; tests/cli/test_binary_shards.py kills a few")
    seed = int(os.environ.get("VQSPEECH_FUZZ_SEED", "0"))
    chance = random.Random(seed)
    monkeypatch.setattr(encoding_shards, "_BLOCK_SECONDS", 10.0)  # a kill costs less, and meets more
    kills = rounds = 0
    while kills < 50:
        rounds += 1
        shards = tmp_path / f"round{rounds}" / "shards"
        kills += encode_while_killing(corpus, shards, chance, 50 - kills)
        assert main(["join", str(shards), str(shards.parent / "codes")]) == 0
        assert joined(shards.parent) == expected, f"seed {seed}, round {rounds}, {kills} kills"


def encode_while_killing(corpus: Path, shards: Path, chance: random.Random, most: int) -> int:
    """Make four shards, killing their jobs at most so many times; how many kills there were."""
    words = ["encode", str(corpus / "rows.jsonl"), "--out", str(shards), "--model", str(corpus / "model")]
    fork = multiprocessing.get_context("fork")  # a job does not come to its work sooner than a kill otherwise
    running: dict[int, tuple[BaseProcess, int]] = {}
    missing, kills = {1, 2, 3, 4}, 0

    def job(shard: int) -> None:
        with Path(os.devnull).open("w") as sys.stdout:
            os._exit(main([*words, "--shards", "4", "--shard", str(shard)]))

    def written(shard: int) -> int:
        log = shards / f".codes.{shard:05}-of-00004.log"
        with suppress(FileNotFoundError):
            return log.stat().st_size
        return 0

    try:
        while missing:
            for shard in missing - running.keys():
                running[shard] = (fork.Process(target=job, args=(shard,)), written(shard))
                running[shard][0].start()
            time.sleep(chance.uniform(0, 0.5))
            at_work = [shard for shard, (_, before) in running.items() if written(shard) != before]
            if kills < most and (at_work or chance.random() < 0.03):
                victim, _ = running[chance.choice(at_work or sorted(running))]
                assert victim.pid is not None
                os.kill(victim.pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
                victim.join()
                kills += victim.exitcode != 0
            for shard, (process, _) in list(running.items()):
                if not process.is_alive():
                    del running[shard]
                    if process.exitcode == 0:
                        missing.discard(shard)
                    else:
                        assert process.exitcode in (-signal.SIGKILL, -signal.SIGTERM, 143), process.exitcode
    finally:
        for process, _ in running.values():
            process.kill()
            process.join()
    return kills


@pytest.fixture
def slurm(nightly: None) -> Iterator[Slurm]:
    """A Slurm of one node."""
    with one_node() as running:
        yield running


def test_a_slurm_array_whose_jobs_are_requeued(
    corpus: Path, slurm: Slurm, expected: dict[str, bytes], tmp_path: Path
) -> None:
    exp = tmp_path / "slurm"
    ended: list[subprocess.CompletedProcess[str]] = []
    words = ["--engine", "slurm", "--options", "--partition all --mem 1G --time 4:00:00"]
    thread = threading.Thread(target=lambda: ended.append(run(corpus, exp, *words, **slurm.environment)))
    thread.start()
    until(lambda: under_way(exp / "shards") or ended, "no shard under way")
    assert not ended, ended[0].stderr
    requeued = [job for job in slurm.jobs("R") if "error" not in slurm.said("scontrol", "requeue", job)]
    deadline = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < deadline:
        slurm.start_those_that_wait()
        thread.join(3)
    assert ended, "Slurm has not ended"
    assert ended[0].returncode == 0, ended[0].stderr
    assert requeued
    assert joined(exp) == expected


@pytest.fixture
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes of two cores each."""
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("takes minutes: tests/nightly.sh runs it")
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs ray: pip install 'vqspeech[ray]'")
    node = {"num_cpus": 2, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def ray_workers(node: Any) -> list[int]:
    """The processes of a node that are encoding."""
    (raylet,) = node.all_processes["raylet"]
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = status.read_text().rpartition(")")[2].split()[1]
            if int(parent) == raylet.process.pid and b"ray::encode" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


def test_a_ray_cluster_that_loses_a_node(
    corpus: Path, expected: dict[str, bytes], ray_cluster: Any, tmp_path: Path
) -> None:
    doomed = ray_cluster.add_node(num_cpus=2, object_store_memory=80 << 20)
    ray_cluster.wait_for_nodes()
    exp = tmp_path / "ray"
    ended: list[subprocess.CompletedProcess[str]] = []
    words = ["--engine", "ray", "--address", ray_cluster.address, "--nj", "4"]
    thread = threading.Thread(target=lambda: ended.append(run(corpus, exp, *words)))
    thread.start()
    until(lambda: (under_way(exp / "shards") and ray_workers(doomed)) or ended, "no shard under way on the second node")
    assert not ended, ended[0].stderr
    workers = ray_workers(doomed)
    assert workers
    ray_cluster.remove_node(doomed, allow_graceful=False)
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    thread.join(PATIENCE)
    assert ended, "the cluster has not ended"
    assert ended[0].returncode == 0, ended[0].stderr
    assert joined(exp) == expected
