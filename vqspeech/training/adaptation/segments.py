"""A speaker's recordings as segments: how likely they are in a voice, and how far its mel head is off.

The codes of the recordings are what they are; only the conditioning of the decoder depends on the voice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.melspectrogram import log_mel
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import PitchStatistics, frame_f0, relative, statistics

#: Share of the speech, its last part, that is held out, and the least that either part must have, in seconds.
HELD_OUT, LEAST_SECONDS = 1 / 6, 1.5
#: Samples that the decoder predicts of a segment, at least, and segments per step.
CROP, BATCH = 4096, 8
#: Most held-out segments, and segments by which the nearest voice is chosen.
HELD_OUT_SEGMENTS, NEAREST_SEGMENTS = 40, 8


class SpeakerSegments:
    """Segments of a speaker's recordings, scored by a model's decoder in any voice.

    Args:
        network: the model.
        waveforms: each ``(samples,)`` float32 at the model's rate and level.
        codes: of each waveform, ``(frames,)``; the last frame filled up with silence.

    Attributes:
        train: first codes of segments to learn from.
        dev: first codes of segments held out, which share no sample with those.
        pitch_statistics: of the speaker's F0; None for a model that pitch does not condition.

    Raises:
        InputError: there is too little speech for a part to learn from and a part to hold out.
    """

    def __init__(
        self, network: VQVAE, waveforms: Sequence[NDArray[np.float32]], codes: Sequence[NDArray[np.int32]]
    ) -> None:
        self.network = network
        config = network.config
        self.hop = config.code_hop
        padded = [np.pad(waveform, (0, -len(waveform) % self.hop)) for waveform in waveforms]
        # With the one sample before the first, which pre-emphasis asks for.
        self.samples = torch.from_numpy(np.concatenate([np.zeros(1, np.float32), *padded]))  # (1 + samples,)
        self.codes = torch.from_numpy(np.concatenate(codes).astype(np.int64))  # (codes,)
        self.pitch_statistics: PitchStatistics | None = None
        self.pitch: Tensor | None = None
        if config.conditioner.pitch:
            self.pitch_statistics, self.pitch = self._tracked(padded)
        self.context = network.conditioner.context
        # Samples that feel the unheard past of a segment are not scored; at least half of it is.
        self.skip = config.decoder.receptive_field
        self.crop = -(-max(CROP, 2 * self.skip) // self.hop)  # in codes
        first_held_out = round(len(self.codes) * (1 - HELD_OUT))
        least = max(LEAST_SECONDS * config.audio.sample_rate / self.hop, self.crop + 2 * self.context + 1)
        if len(self.codes) - first_held_out < least:
            needed = least / HELD_OUT * self.hop / config.audio.sample_rate
            raise InputError(
                f"{self.seconds:.1f} s of speech, too little to learn a voice from",
                hint=f"give {needed:.0f} s at the very least; a minute is good",
            )
        self.train = range(self.context, first_held_out - self.crop - self.context)
        self.dev = range(first_held_out + self.context, len(self.codes) - self.crop - self.context + 1)

    def _tracked(self, waveforms: Sequence[NDArray[np.float32]]) -> tuple[PitchStatistics, Tensor]:
        """Statistics of the speaker's F0, and the pitch of all recordings, ``(frames, PITCH_FEATURES)``."""
        config = self.network.config
        hop, rate = config.conditioner.hop, config.audio.sample_rate
        f0 = np.concatenate([frame_f0(waveform, rate, hop=hop, count=len(waveform) // hop) for waveform in waveforms])
        found = statistics(f0, hop / rate)
        return found, torch.from_numpy(relative(f0, found))

    @property
    def seconds(self) -> float:
        """Duration of all speech."""
        return len(self.codes) * self.hop / self.network.config.audio.sample_rate

    def nearest(self) -> int:
        """The voice of the model under which the speech to learn from is likeliest."""
        voices = [self.network.voice({speaker: 1.0}) for speaker in range(len(self.network.speakers))]
        starts = _spread(self.train, NEAREST_SEGMENTS)
        return int(np.argmin([self._mean_nll(voice, starts) for voice in voices]))

    def held_out(self, voice: Voice) -> float:
        """Nats per sample of the held-out speech in a voice."""
        scored = self.crop * self.hop - self.skip
        count = min(HELD_OUT_SEGMENTS, 1 + len(self.dev) * self.hop // scored)
        return self._mean_nll(voice, _spread(self.dev, count))

    @torch.no_grad()
    def _mean_nll(self, voice: Voice, starts: Sequence[int]) -> float:
        batches = [starts[i : i + BATCH] for i in range(0, len(starts), BATCH)]
        return float(torch.cat([self.nll(voice, batch, self.frames(voice, batch)) for batch in batches]).mean())

    def frames(self, voice: Voice, starts: Sequence[int], with_pitch: NDArray[np.bool_] | None = None) -> Tensor:
        """Conditioning frames of segments.

        Args:
            voice: whose.
            starts: their first codes.
            with_pitch: ``(segments,)``, whether each is given its pitch; None for all.

        Returns:
            ``(segments, frames, channels)``.
        """
        network, device = self.network, self.network.device
        reach = range(-self.context, self.crop + self.context)
        windows = [self.codes[start + reach.start : start + reach.stop] for start in starts]
        codes = torch.stack(windows).to(device)  # (segments, codes with context)
        pitch = None
        if self.pitch is not None:
            scale = network.conditioner.frames_per_code
            spans = [slice((start + reach.start) * scale, (start + reach.stop) * scale) for start in starts]
            pitch = torch.stack([self.pitch[span] for span in spans])  # (segments, frames, PITCH_FEATURES)
            if with_pitch is not None:
                pitch = pitch * torch.from_numpy(with_pitch)[:, None, None]
            pitch = pitch.to(device)
        frames = voice.frames(network.quantizer.lookup(codes), pitch)
        edge = self.context * network.conditioner.frames_per_code
        return frames[:, edge : frames.shape[1] - edge]

    def nll(self, voice: Voice, starts: Sequence[int], frames: Tensor) -> Tensor:
        """``-log p`` of the samples of segments, given their frames: ``(segments, samples)``."""
        first, length = [start * self.hop for start in starts], self.crop * self.hop + 1
        pieces = [self.samples[sample : sample + length] for sample in first]
        targets = torch.stack(pieces).to(frames.device)  # (segments, samples + 1)
        return self.network.conditioned_nll(targets, voice.conditioning(frames))[:, self.skip :]

    def mel_error(self, voice: Voice, starts: Sequence[int], frames: Tensor) -> Tensor:
        """Mean absolute error of the mel head in segments, given their frames; a scalar."""
        bands = voice.mel(frames)
        if bands is None:
            return frames.new_zeros(())
        config = self.network.config
        # From a little more than the segment, so that the windows at its edges are whole.
        begin, length = -self.context * self.hop + 1, (self.crop + 2 * self.context) * self.hop
        windows = [self.samples[start * self.hop + begin : start * self.hop + begin + length] for start in starts]
        target = log_mel(
            torch.stack(windows).to(bands.device),  # (segments, samples)
            sample_rate=config.audio.sample_rate,
            hop=config.conditioner.hop,
            bands=bands.shape[2],
        )  # (segments, frames with context, bands)
        edge = self.context * self.network.conditioner.frames_per_code
        return F.l1_loss(bands, target[:, edge : target.shape[1] - edge])


def _spread(starts: range, count: int) -> list[int]:
    """``count`` of ``starts``, evenly apart, the first and the last among them."""
    return sorted({starts[round(place)] for place in np.linspace(0, len(starts) - 1, count)})
