"""The encoder over a stream: samples in, vectors out as soon as their context is complete.

``input_norm``, which offline takes each log-mel band's mean and deviation over the recording away, has running moments
here (``vqspeech.streaming.statistics.RunningMoments``), updated by every frame of speech and applied to it at once.
They begin with those of average speech (``vqspeech.streaming.average_speech``).
"""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.melspectrogram import LEAST_SPREAD, log_mel, log_mel_windows, window_length
from vqspeech.model.encoder import StridedConvolution
from vqspeech.model.frequency_warp import warp_spectra
from vqspeech.model.vqvae import VQVAE
from vqspeech.streaming.average_speech import average_moments
from vqspeech.streaming.layers import Layers, StreamedConvolution
from vqspeech.streaming.statistics import RunningMoments

#: Seconds of speech that the moments of the log-mel bands remember, and that average speech counts for at first.
MEMORY, PRIOR = 8.0, 1.0


class StreamedEncoder:
    """The encoder of a network, and what comes before it: pre-emphasis and the log-mel front end.

    Args:
        network: in evaluation mode.
        layers: makes its layers.

    Attributes:
        frozen: whether the moments stay as they are.

    Raises:
        InputError: its codes depend on whole recordings in a way that has no causal form here.
    """

    def __init__(self, network: VQVAE, layers: Layers) -> None:
        self.frozen = False
        config = network.config.encoder
        if config.instance_norm:
            raise InputError(
                "this model's encoder normalises its channels over the whole recording",
                hint="stream with a model without encoder.instance_norm",
            )
        self._network = network
        self._config, self._rate = config, network.config.audio.sample_rate
        self._device = network.device
        self._previous = torch.zeros(1, 1, device=self._device)
        strided = [cast(StridedConvolution, module) for module in network.encoder.strided]
        self._strided = [StreamedConvolution(module.convolution, module.padding[0], layers) for module in strided]
        self._layers, self._blocks = layers, layers.stack(network.encoder.blocks, config.channels)
        self._mel = config.front_end == "log-mel"
        if self._mel:
            window = window_length(self._rate)
            self._left = (window - config.mel_hop) // 2
            # Samples from the first that frames to come need; a window shorter than a hop begins later.
            self._samples = torch.zeros(max(0, self._left), device=self._device)
            self._skip = max(0, -self._left)
            mean, variance = average_moments(network.config)
            self._moments = RunningMoments(mean, variance, prior=self._frames(PRIOR), most=self._frames(MEMORY))

    def _frames(self, seconds: float) -> float:
        return seconds * self._rate / self._config.mel_hop

    def enrol(self, samples: NDArray[np.float32], speech: NDArray[np.bool_], *, warp: float = 1.0) -> None:
        """Begin with the moments of a recording.

        Args:
            samples: ``(samples,)`` at the working level.
            speech: ``(steps,)``, of as many samples each as divide the recording evenly.
            warp: factor on the frequency axis, see ``vqspeech.model.frequency_warp``.
        """
        if not self._config.input_norm:
            return
        hop, bands = self._config.mel_hop, self._config.mel_bands
        shaped = self._network.companding.preemphasise(torch.from_numpy(samples)[None].to(self._device))
        alter = None if warp == 1 else partial(warp_spectra, factor=warp)
        bands_of = log_mel(shaped, sample_rate=self._rate, hop=hop, bands=bands, alter=alter)[0]  # (frames, bands)
        frames = bands_of.cpu().numpy().astype(np.float64)
        steps = np.arange(len(frames)) * len(speech) // max(1, len(frames))
        for row, counts in zip(frames, speech[steps] if len(speech) else [], strict=False):
            if counts:
                self._moments.update(row)

    def push(self, samples: NDArray[np.float32], *, speech: bool, warp: float = 1.0) -> Tensor:
        """Take samples at the working level.

        Args:
            samples: ``(samples,)``.
            speech: whether they are; moments are of speech alone.
            warp: factor on the frequency axis of the frames that they complete.

        Returns:
            ``(vectors, dimension)``.
        """
        waveform = torch.from_numpy(samples)[None].to(self._device)
        shaped = self._network.companding.preemphasise(waveform, self._previous)[0]
        self._previous = waveform[:, -1:]
        rows = self._log_mel(shaped, speech=speech, warp=warp) if self._mel else shaped[:, None]
        for strided in self._strided:
            rows = F.leaky_relu(strided.push(rows), 0.1)  # (time / strides so far, channels)
        rows = self._blocks.push(rows)
        if not len(rows):
            return shaped.new_zeros(0, self._config.dimension)
        z = self._layers.linear(self._network.encoder.projection, rows).float()  # (vectors, dimension)
        return F.layer_norm(z, (self._config.dimension,)) if self._config.frame_norm else z

    def _log_mel(self, shaped: Tensor, *, speech: bool, warp: float) -> Tensor:
        """The frames whose windows are complete, ``(frames, bands)``."""
        config, window = self._config, window_length(self._rate)
        skipped = min(self._skip, len(shaped))
        self._skip -= skipped
        self._samples = torch.cat([self._samples, shaped[skipped:]])
        count = max(0, (len(self._samples) - window) // config.mel_hop + 1)
        if not count:
            return shaped.new_zeros(0, config.mel_bands)
        frames = log_mel_windows(
            self._samples[None],
            count,
            sample_rate=self._rate,
            hop=config.mel_hop,
            bands=config.mel_bands,
            alter=None if warp == 1 else partial(warp_spectra, factor=warp),
        )[0]
        self._samples = self._samples[count * config.mel_hop :].clone()
        return self._normalised(frames, speech=speech) if config.input_norm else frames

    def _normalised(self, frames: Tensor, *, speech: bool) -> Tensor:
        made = []
        for row in frames.cpu().numpy().astype(np.float64):
            if speech and not self.frozen:
                self._moments.update(row)
            made.append((row - self._moments.mean) / (np.sqrt(self._moments.variance) + LEAST_SPREAD))
        return torch.from_numpy(np.stack(made).astype(np.float32)).to(self._device)
