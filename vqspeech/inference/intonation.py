"""F0 of a recording, and relative to a speaker, as it conditions a conversion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.model.config import ModelConfig
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import INTONATIONS, SEMITONE, TYPICAL_DEVIATION, Intonation, frame_f0, relative, statistics


def takes_pitch(config: ModelConfig, f0: Intonation, f0_shift: float) -> bool:
    """Whether pitch conditions a conversion.

    Args:
        config: of the model.
        f0: where the intonation comes from.
        f0_shift: semitones by which it is moved.

    Raises:
        InputError: no such intonation, or a shift that the model cannot make.
    """
    if f0 not in INTONATIONS:
        raise InputError(f"no f0 {f0!r}", hint=f"use {', '.join(INTONATIONS)}")
    taken = config.conditioner.pitch and f0 != "target"
    if f0_shift and not taken:
        raise InputError(
            f"an f0_shift of {f0_shift:g} semitones, but pitch does not condition this conversion",
            hint="use a model with pitch, and f0 source or flat",
        )
    return taken


def f0_of(waveform: NDArray[np.float32], network: VQVAE) -> NDArray[np.float32]:
    """F0 of a whole recording, ``(samples,)`` -> ``(frames x frames per code,)`` in Hz, 0 where unvoiced."""
    config = network.config
    count = -(-len(waveform) // config.code_hop) * network.conditioner.frames_per_code
    return frame_f0(waveform, config.audio.sample_rate, hop=config.conditioner.hop, count=count)


def relative_pitch(
    track: NDArray[np.float32], network: VQVAE, blend: Mapping[int, float], *, f0: Intonation, f0_shift: float
) -> NDArray[np.float32]:
    """A whole utterance's F0 brought to the mean and range of a voice.

    Args:
        track: ``(frames,)`` in Hz, 0 where unvoiced.
        network: that it conditions.
        blend: the voice: share of each speaker, by its place.
        f0: ``source`` or ``flat``.
        f0_shift: semitones by which all of it is moved.

    Returns:
        ``(frames, 3)``, see ``vqspeech.pitch.relative``.
    """
    config = network.config
    frames = relative(track, statistics(track, config.conditioner.hop / config.audio.sample_rate))
    if f0 == "flat":
        frames[:, 0] = 0
    if f0_shift:
        deviation = float(network.speaker_stats.blended(blend).pitch[1])
        frames[:, 0] += f0_shift * SEMITONE / (deviation or TYPICAL_DEVIATION) * frames[:, 1]
    return frames
