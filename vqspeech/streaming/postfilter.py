"""The post-filter of a stream: the causal form of ``vqspeech.generation.postfilter``.

Offline, the spectrum of windows about a moment is multiplied by gains and laid together again, which looks 32 ms ahead.
Here, with ``m`` and ``h`` the expected and the found log energies of a frame (as offline, by the same windows), the
gains are

    g[n] = clamp(strength (m[n - lag] - h[n - lag]))

with ``lag`` the fewest frames by which a window is complete in time. They are applied in the time domain, by filters of
minimum phase, which delay nothing (Oppenheim and Schafer 1975, "Digital Signal Processing", chapter 7: the cepstrum of
the log amplitude, folded). Within a frame the filter before fades into the frame's own.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.postfilter import bin_gains
from vqspeech.melspectrogram import log_mel_windows, window_length


class StreamedPostFilter:
    """Brings generated speech towards the bands expected of it, as it comes.

    Args:
        sample_rate: in Hz.
        hop: samples per frame of bands.
        bands: how many.
        strength: as of ``post_filter``.
        behind: samples by which the speech comes later than the bands that are expected of it.
        held: frames that are held back, so that gains are of frames as many later.

    Attributes:
        delay: samples that are held back.
    """

    def __init__(
        self, *, sample_rate: int, hop: int, bands: int, strength: float, behind: int = 0, held: int = 0
    ) -> None:
        self._rate, self._hop, self._bands, self._strength = sample_rate, hop, bands, strength
        self._window = window_length(sample_rate)
        self._taps = self._window // 2
        self._size = 2 ** math.ceil(math.log2(hop + self._taps - 1))
        self._fade = ((np.arange(hop) + 0.5) / hop).astype(np.float32)  # (hop,), in (0, 1)
        self._held, self.delay = held, held * hop
        # Places are counted from ``behind`` samples before the first, so that frames of speech and bands fall together.
        left = (self._window - hop) // 2 - behind
        self._lag = max(0, math.ceil((self._window - left) / hop) - 1 - held)
        self._behind = self._dropped = behind
        self._analysed = np.zeros(max(0, left), np.float32)  # from the first sample of the next window on
        self._skip = max(0, -left)
        self._speech = np.zeros(self._taps - 1, np.float32)  # from the first that the next frame's filter needs on
        self._spectra = np.ones((self._lag + 1, self._size // 2 + 1), np.complex64)  # of filters whose turn is to come
        self._expected = torch.zeros(0, bands)  # of the frames whose windows are not complete
        self._waiting = held  # frames to hold back yet

    def push(self, speech: NDArray[np.float32], expected: Tensor) -> NDArray[np.float32]:
        """Take the samples of whole frames.

        Args:
            speech: ``(frames x hop,)`` at the working level; ``behind`` fewer at first.
            expected: ``(frames, bands)``, log energies as ``log_mel`` gives them.

        Returns:
            ``(frames x hop,)``; of the first ones as many fewer as are held back.
        """
        samples = np.concatenate([np.zeros(self._behind, np.float32), speech])
        self._behind = 0
        self._expected = torch.cat([self._expected, expected.cpu()])
        self._analyse(samples)
        self._speech = np.concatenate([self._speech, samples])
        count = len(expected) - min(self._waiting, len(expected))
        self._waiting -= len(expected) - count
        if not count:
            return np.zeros(0, np.float32)
        made = self._filtered(count)
        first = min(self._dropped, len(made))
        self._dropped -= first
        return made[first:]

    def _analyse(self, samples: NDArray[np.float32]) -> None:
        """Make the filters of the frames whose windows these samples complete."""
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        self._analysed = np.concatenate([self._analysed, samples[skipped:]])
        count = max(0, (len(self._analysed) - self._window) // self._hop + 1)
        if not count:
            return
        windows = torch.from_numpy(self._analysed)[None]
        found = log_mel_windows(windows, count, sample_rate=self._rate, hop=self._hop, bands=self._bands)[0]
        gains = bin_gains(self._expected[:count], found, sample_rate=self._rate, strength=self._strength)
        self._analysed, self._expected = self._analysed[count * self._hop :].copy(), self._expected[count:]
        filters = minimum_phase(gains.numpy(), self._taps)  # (frames, taps)
        self._spectra = np.concatenate([self._spectra, np.fft.rfft(filters, self._size)])

    def _filtered(self, count: int) -> NDArray[np.float32]:
        """The next frames, ``(count x hop,)``."""
        reach = self._hop + self._taps - 1
        windows = np.lib.stride_tricks.sliding_window_view(self._speech, reach)[:: self._hop][:count]
        spectra = np.fft.rfft(windows, self._size)  # (frames, bins)
        pairs = np.stack([self._spectra[:count], self._spectra[1 : count + 1]])  # (2, frames, bins)
        before, own = np.fft.irfft(spectra * pairs, self._size)[:, :, self._taps - 1 : reach]  # (frames, hop) each
        self._spectra, self._speech = self._spectra[count:], self._speech[count * self._hop :]
        made: NDArray[np.float32] = (before + self._fade * (own - before)).astype(np.float32).reshape(-1)
        return made


def minimum_phase(gains: NDArray[np.float32], taps: int) -> NDArray[np.floating]:
    """Filters that amplify as is asked for, and delay as little as can be.

    Args:
        gains: ``(filters, bins)``, natural logarithms of amplitudes from 0 Hz to half the rate.
        taps: of each filter, at most ``bins - 1``; its last quarter fades out.

    Returns:
        ``(filters, taps)``.
    """
    size = 2 * (gains.shape[1] - 1)
    folding, fading = _folding(size), _fading(taps)
    cepstra = np.fft.irfft(gains, size) * folding  # (filters, size)
    filters: NDArray[np.floating] = np.fft.irfft(np.exp(np.fft.rfft(cepstra)), size)[:, :taps] * fading
    return filters


@lru_cache(maxsize=4)
def _folding(size: int) -> NDArray[np.float32]:
    """Of a cepstrum, ``(size,)``: what makes it causal and leaves the log amplitude as it is."""
    factors = np.zeros(size, np.float32)
    factors[[0, size // 2]] = 1
    factors[1 : size // 2] = 2
    return factors


@lru_cache(maxsize=4)
def _fading(taps: int) -> NDArray[np.float32]:
    """Ones, and a last quarter that falls to zero, ``(taps,)``."""
    factors = np.ones(taps, np.float32)
    count = max(1, taps // 4)
    factors[taps - count :] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return factors
