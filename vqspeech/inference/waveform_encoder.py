"""Waveforms to encoder outputs and codes: long ones in blocks, several together, or adapted to a target speaker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech import audio
from vqspeech.model.chunking import encode_chunked
from vqspeech.model.frequency_warp import f0_factor, warp_spectra
from vqspeech.model.packed_encoder import Compiler, PackedEncoder
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import statistics

#: Seconds that the encoder sees at a time.
_BLOCK_SECONDS = 30
#: Seconds of several recordings that the encoder sees at a time.
_TOGETHER_SECONDS = 120


class WaveformEncoder:
    """The encoder and quantiser of a model, for waveforms of any length at the model's rate and level.

    Args:
        network: in evaluation mode.
        compiled: see ``PackedEncoder``.
    """

    def __init__(self, network: VQVAE, *, compiled: Compiler | None = None) -> None:
        self._network = network
        self._compiled = compiled
        self._rate = network.config.audio.sample_rate
        self._hop = network.config.code_hop

    @torch.no_grad()
    def vectors(self, waveform: NDArray[np.float32], alter: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """The encoder's output, not quantised; see ``vqspeech.api.Model.vectors``.

        Args:
            waveform: ``(samples,)``.
            alter: applied to the power spectra of a log-mel front end.

        Returns:
            ``(frames, dimension)``.
        """
        padded = np.pad(waveform, (0, -len(waveform) % self._hop))
        shaped = self._network.companding.preemphasise(torch.from_numpy(padded)[None])  # (1, samples)
        shaped = shaped.to(self._network.device)
        block = _BLOCK_SECONDS * self._rate // self._hop * self._hop
        z = encode_chunked(self._network.encoder, shaped, hop=self._hop, block=block, alter=alter)
        return z[0].t()  # (frames, dimension)

    @torch.no_grad()
    def nearest(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        """The nearest codes of several waveforms, computed together; those of each alone, to the code.

        Args:
            waveforms: each ``(samples,)``.

        Returns:
            One ``(frames,)`` for each.
        """
        if self._network.config.encoder.front_end != "log-mel":
            return [self._nearest_alone(one) for one in waveforms]
        together = _TOGETHER_SECONDS * self._rate
        found: list[NDArray[np.int32]] = []
        packed: list[Tensor] = []
        for waveform in waveforms:
            if len(waveform) > together:
                # Block by block, whatever it comes with: its activations as a whole would take gigabytes per hour.
                found += map(_as_numpy, self._packed.codes(packed))
                packed = []
                found.append(self._nearest_alone(waveform))
                continue
            padded = torch.from_numpy(np.pad(waveform, (0, -len(waveform) % self._hop)))
            packed.append(self._network.companding.preemphasise(padded[None].to(self._network.device))[0])  # (samples,)
            if sum(map(len, packed)) >= together:
                found += map(_as_numpy, self._packed.codes(packed))
                packed = []
        return [*found, *map(_as_numpy, self._packed.codes(packed))]

    @torch.no_grad()
    def adapted(
        self, waveform: NDArray[np.float32], blend: Mapping[int, float], track: NDArray[np.float32] | None
    ) -> NDArray[np.int32]:
        """Codes adapted to a voice, of spectra that are scaled towards its F0 where the model asks for it.

        Args:
            waveform: ``(samples,)``.
            blend: the voice: share of each speaker, by its place.
            track: F0 of the recording in Hz, 0 where unvoiced; None leaves the spectra as they are.

        Returns:
            ``(frames,)``.
        """
        network = self._network
        share, alter = network.config.encoder.f0_warp, None
        target = network.speaker_stats.log_f0(blend)
        if share and target is not None and track is not None and track.any():
            source = statistics(track, network.config.conditioner.hop / self._rate).mean
            alter = partial(warp_spectra, factor=f0_factor(source, target, share))
        vectors = self.vectors(waveform, alter)  # (frames, dimension)
        speech = audio.speech_mask(waveform, self._rate, hop=self._hop)  # (frames,)
        return _as_numpy(network.adapted_codes(vectors, torch.from_numpy(speech).to(self._network.device), blend))

    def _nearest_alone(self, waveform: NDArray[np.float32]) -> NDArray[np.int32]:
        return _as_numpy(self._network.quantizer.nearest(self.vectors(waveform)))

    @cached_property
    def _packed(self) -> PackedEncoder:
        return PackedEncoder(self._network, compiled=self._compiled)

    def __getstate__(self) -> dict[str, object]:
        """All but what is compiled for this processor."""
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


def _as_numpy(codes: Tensor) -> NDArray[np.int32]:
    return codes.cpu().numpy().astype(np.int32)
