"""The card of a prior that has just been trained: what its directory cannot say otherwise."""

from __future__ import annotations

import math
from pathlib import Path

from vqspeech.counts import counted
from vqspeech.files import atomic_open
from vqspeech.training.best import Best
from vqspeech.training.prior.config import PriorPreset
from vqspeech.training.prior.dataset import CodeData
from vqspeech.training.prior.task import HeldOutBits


def write_card(folder: Path, preset: PriorPreset, train: CodeData, best: Best[HeldOutBits]) -> None:
    """Write ``README.md`` into a prior directory; one that is there already stays.

    Args:
        folder: the prior directory.
        preset: what it was trained with.
        train: what it was trained on.
        best: step and measures of the prior in ``folder``: how well it foresees held-out codes.
    """
    card = folder / "README.md"
    if card.exists() or not folder.is_dir():
        return
    training = preset.training
    kind = type(preset.network).__struct_config__.tag
    steps = training.steps if best.step is None else best.step
    taken = f"{steps} steps" if steps == training.steps else f"{steps} of {training.steps} steps"
    seen = steps * training.batch * training.crop
    held_out = f"{best.score:.3f} bits per code"
    if best.measures is not None:
        held_out += f"; {best.measures.bits + best.measures.speaker_gap:.3f} without the speaker"
    lines = f"""# A prior over codes

| | |
|---|---|
| kind | {kind}, {preset.network.layers} layers of width {preset.network.width} |
| codes | {train.codes} of them, made by the model of checksum {train.made_by or "unknown"} |
| trained on | {counted(sum(map(len, train.sequences)), "code")} in {counted(len(train.sequences), "utterance")} |
| speakers it is conditioned on | {len(train.names)} |
| training | {taken}, {seen / 1e6:.1f} M codes at most on each device |
| held-out codes | {held_out} |
| all codes alike | {math.log2(train.codes):.3f} bits per code |

`vqspeech evaluate prior` sets these bits beside those of n-gram models and measures its samples.
"""
    with atomic_open(card) as file:
        file.write(lines)
