"""The card of a prior that has just been trained: what its directory cannot say otherwise."""

from __future__ import annotations

import math
from pathlib import Path

from vqspeech.files import atomic_open
from vqspeech.training.prior.config import PriorPreset
from vqspeech.training.prior.dataset import CodeData
from vqspeech.training.prior.task import HeldOutBits


def write_card(folder: Path, preset: PriorPreset, train: CodeData, found: HeldOutBits) -> None:
    """Write ``README.md`` into a prior directory; one that is there already stays.

    Args:
        folder: the prior directory.
        preset: what it was trained with.
        train: what it was trained on.
        found: how well it foresees held-out codes.
    """
    card = folder / "README.md"
    if card.exists() or not folder.is_dir():
        return
    training = preset.training
    kind = type(preset.network).__struct_config__.tag
    seen = training.steps * training.batch * training.crop
    lines = f"""# A prior over codes

| | |
|---|---|
| kind | {kind}, {preset.network.layers} layers of width {preset.network.width} |
| codes | {train.codes} of them, made by the model of checksum {train.made_by or "unknown"} |
| trained on | {sum(map(len, train.sequences))} codes in {len(train.sequences)} utterances |
| speakers it is conditioned on | {len(train.names)} |
| training | {training.steps} steps, {seen / 1e6:.1f} M codes at most on each device |
| held-out codes | {found.bits:.3f} bits per code; {found.bits + found.speaker_gap:.3f} without the speaker |
| all codes alike | {math.log2(train.codes):.3f} bits per code |

`vqspeech evaluate prior` sets these bits beside those of n-gram models and measures its samples.
"""
    with atomic_open(card) as file:
        file.write(lines)
