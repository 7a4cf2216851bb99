"""F0 of a stream by autocorrelation, each frame analysed once.

Praat, which recordings are analysed by, has the same method and the same numbers (Boersma 1993, "Accurate short-term
analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled sound"); given a window that slides
along a stream, it would analyse every frame anew in each step. Of a frame, with ``w`` Hann's window of three periods of
the lowest F0 and ``x`` the samples in it, the mean of two such periods around its middle taken away:

    r(lag)     = autocorrelation of x w  /  autocorrelation of w, both 1 at lag 0
    candidates: the maxima of r, interpolated with sinc functions, that are higher than VOICING / 2
    strength   = r(lag) - OCTAVE log2(CEILING lag),   1 / r in place of r where it is above 1
    unvoiced   = VOICING + max(0, 2 - loudness (1 + VOICING) / SILENCE)

``loudness`` is the peak of x w, of a period around the middle, over that of speech, at most 1. From frame to frame the
path with the largest sum of strengths is taken, less

    CHANGE (10 ms / step) where voicing changes,   JUMP (10 ms / step) |log2 of the ratio| where F0 does

The best path to every candidate of a frame follows from those to the frame before, so nothing is computed twice; which
of them is the best one of all shows in the newest frame, from which it is followed back.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqspeech.pitch import CEILING, FLOOR, SILENCE

#: Praat's defaults: threshold of voicing; costs of an octave below the ceiling, a jump by one, a change of voicing.
VOICING, OCTAVE, JUMP, CHANGE = 0.45, 0.01, 0.35, 0.14
#: Candidates of a frame, the unvoiced one included; Praat's default.
CANDIDATES = 15
#: Periods of the lowest F0 in a window.
_PERIODS = 3
#: Lags on either side that a maximum is interpolated from, and points per lag at which it is.
DEPTH, POINTS = 30, 4
#: Seconds of frames that are kept to follow the path back through.
_KEPT = 0.5


class _Frame(NamedTuple):
    f0: NDArray[np.float64]  # (candidates,) in Hz, the first 0: unvoiced
    score: NDArray[np.float64]  # (candidates,), of the best path to each, less that of the best of all
    before: NDArray[np.intp]  # (candidates,): which candidate of the frame before it came from


class PitchTracker:
    """F0 of frames that are ``step`` apart, the first of which lies half a step behind the first sample.

    Args:
        sample_rate: in Hz.
        step: seconds from frame to frame.
        peak: of speech; frames far quieter than it tend to be unvoiced.
    """

    def __init__(self, sample_rate: int, *, step: float, peak: float) -> None:
        self._rate, self._peak = sample_rate, peak
        self._step = round(step * sample_rate)
        self._half = math.floor(_PERIODS * sample_rate / FLOOR) // 2 - 1
        self._period = math.floor(sample_rate / FLOOR)
        count = 2 * self._half
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, count + 1) / (count + 1))  # (count,)
        # Maxima at whole lags from just below the ceiling's on; those whose place turns out above it are left out.
        self._lowest = max(2, math.floor(sample_rate / CEILING) - 1)
        self._highest = self._period + 1
        depth = min(DEPTH, self._half - self._highest)
        lags = self._highest + depth + 1
        self._size = 2 ** math.ceil(math.log2(count + lags))  # none of these wraps around
        own = np.fft.irfft(np.abs(np.fft.rfft(self._hann, self._size)) ** 2)[:lags]
        self._factor = own[0] / own  # (lags,)
        self._taps = np.arange(-depth, depth + 1)
        away = np.arange(-POINTS, POINTS + 1) / POINTS - self._taps[:, None]  # (taps, points)
        self._sinc = np.sinc(away) * (0.5 + 0.5 * np.cos(np.pi * np.clip(away / (depth + 1), -1, 1)))
        correction = 0.01 * sample_rate / self._step
        self._jump, self._change = JUMP * correction, CHANGE * correction
        # From the first sample that the next frame needs on.
        self._samples = np.zeros(max(0, self._half - self._step // 2))
        self._frames: deque[_Frame] = deque(maxlen=math.ceil(_KEPT / step))
        self._count = 0  # of all frames so far

    def push(self, samples: NDArray[np.floating]) -> None:
        """Take the next samples, ``(samples,)``."""
        self._samples = np.concatenate([self._samples, samples])
        count = max(0, (len(self._samples) - 2 * self._half) // self._step + 1)
        if not count:
            return
        size = self._samples.itemsize
        windows = np.ndarray(  # (frames, window), which overlap
            (count, 2 * self._half), np.float64, self._samples, strides=(self._step * size, size)
        )
        correlation, peaks = self._correlate(windows)
        for row, f0, strength in zip(peaks, *self._candidates(correlation), strict=True):
            self._append(f0, strength, float(row))
        self._samples = self._samples[count * self._step :]

    def f0(self, places: NDArray[np.floating]) -> NDArray[np.float32]:
        """F0 on the best path so far.

        Args:
            places: ``(times,)``, in samples from the begin of the stream, rising.

        Returns:
            ``(times,)`` in Hz, of the frame nearest to each; 0 where unvoiced, or none is there, or none any more.
        """
        wanted = np.rint(np.asarray(places) / self._step - 0.5).astype(int)  # (times,)
        first = self._count - len(self._frames)
        found = np.zeros(len(wanted), np.float32)
        choice = int(self._frames[-1].score.argmax()) if self._frames else 0
        for index in range(self._count - 1, max(first, int(wanted.min(initial=self._count))) - 1, -1):
            frame = self._frames[index - first]
            found[wanted == index] = frame.f0[choice]
            choice = int(frame.before[choice])
        return found

    def _correlate(self, windows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``r`` by lag, ``(frames, lags)``, and the peaks of the middles, ``(frames,)``."""
        middle, period = self._half, self._period
        mean = windows[:, max(0, middle - period) : middle + period].mean(1, keepdims=True)  # (frames, 1)
        shaped = (windows - mean) * self._hann  # (frames, window)
        near = period // 2 + 1
        peaks = np.abs(shaped[:, middle - near : middle + near]).max(1)
        spectra = np.fft.rfft(shaped, self._size)  # (frames, bins)
        power = spectra.real**2 + spectra.imag**2
        found = np.fft.irfft(power, self._size)[:, : len(self._factor)]  # (frames, lags)
        return found * self._factor / np.maximum(found[:, :1], 1e-30), peaks

    def _candidates(
        self, correlation: NDArray[np.float64]
    ) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
        """F0 and strength of the voiced candidates of each frame."""
        inner = correlation[:, self._lowest : self._highest + 1]  # (frames, lags)
        before, behind = (correlation[:, self._lowest + by : self._highest + 1 + by] for by in (-1, 1))
        frames, lags = ((inner > VOICING / 2) & (inner > before) & (inner >= behind)).nonzero()
        lags = lags + self._lowest  # (maxima,)
        # r is even: lags below 0 are those above it.
        taps = np.abs(lags[:, None] + self._taps)  # (maxima, taps)
        values = correlation[frames[:, None], taps] @ self._sinc  # (maxima, points)
        top = values[:, 1:-1].argmax(1) + 1  # (maxima,)
        rows = np.arange(len(top))
        left, peak, right = (values[rows, top + by] for by in (-1, 0, 1))
        bend = np.maximum(2 * peak - left - right, 1e-12)
        shift = np.clip(0.5 * (right - left) / bend, -1, 1)  # in points
        height = peak + 0.25 * (right - left) * shift
        f0 = self._rate / (lags + (top - POINTS + shift) / POINTS)  # (maxima,)
        strength = np.where(height > 1, 1 / np.maximum(height, 1), height) - OCTAVE * np.log2(CEILING / f0)
        kept = (f0 <= CEILING) & (f0 >= FLOOR)
        made: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
        for frame in range(len(correlation)):
            own = (kept & (frames == frame)).nonzero()[0]
            if len(own) >= CANDIDATES:
                own = own[np.argsort(-strength[own], kind="stable")[: CANDIDATES - 1]]
            made[0].append(f0[own])
            made[1].append(strength[own])
        return made

    def _append(self, f0: NDArray[np.float64], strength: NDArray[np.float64], peak: float) -> None:
        """Find the best paths to the candidates of the next frame."""
        loudness = min(1.0, peak / self._peak)
        unvoiced = VOICING + max(0.0, 2 - loudness * (1 + VOICING) / SILENCE)
        f0 = np.concatenate([[0.0], f0])  # (candidates,)
        strength = np.concatenate([[unvoiced], strength])
        if not self._frames:
            score, chosen = strength, np.zeros(len(f0), np.intp)
        else:
            last = self._frames[-1]
            costs = self._jump * np.abs(np.log2(np.maximum(f0, 1)[:, None] / np.maximum(last.f0, 1)))
            costs[0], costs[:, 0] = self._change, self._change
            costs[0, 0] = 0
            paths = last.score - costs  # (candidates, candidates of the last)
            chosen = paths.argmax(1)
            score = strength + paths[np.arange(len(f0)), chosen]
        self._frames.append(_Frame(f0, score - score.max(), chosen))
        self._count += 1
