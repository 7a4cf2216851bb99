"""Boersma's autocorrelation method, slowly: sums in loops, and the best path sought anew for every moment."""

from __future__ import annotations

import math

import numpy as np

Candidates = list[tuple[float, float]]  # (F0, strength), unvoiced first


def frames(waveform: np.ndarray, rate: int, *, step: int, peak: float) -> list[Candidates]:
    """Candidates of all frames whose window the waveform completes; before it there are zeros."""
    half = math.floor(3 * rate / 65.0) // 2 - 1
    centres = range(step // 2, len(waveform) - half + 1, step)
    padded = np.concatenate([np.zeros(half), waveform.astype(float)])
    return [_candidates(padded[centre : centre + 2 * half], rate, peak) for centre in centres]


def _candidates(window: np.ndarray, rate: int, peak: float) -> Candidates:
    count, period = len(window), math.floor(rate / 65.0)
    middle = count // 2
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, count + 1) / (count + 1))
    shaped = (window - window[middle - period : middle + period].mean()) * hann

    def correlation(lag: int) -> float:
        lag = abs(lag)
        own = np.dot(hann[lag:], hann[: count - lag]) / np.dot(hann, hann)
        energy = np.dot(shaped, shaped)
        return float(np.dot(shaped[lag:], shaped[: count - lag]) / energy / own) if energy > 1e-30 else 0.0

    r = {lag: correlation(lag) for lag in range(middle)}

    loudness = min(1.0, np.abs(shaped[middle - period // 2 - 1 : middle + period // 2 + 1]).max() / peak)
    made: Candidates = [(0.0, 0.45 + max(0.0, 2 - loudness * 1.45 / 0.03))]
    voiced = []
    for lag in range(max(2, math.floor(rate / 450.0) - 1), period + 2):
        if not (r[lag] > 0.225 and r[lag] > r[lag - 1] and r[lag] >= r[lag + 1]):
            continue
        taps = [sum(r[abs(lag + t)] * _weight(o / 4 - t) for t in range(-30, 31)) for o in range(-4, 5)]
        top = 1 + int(np.argmax(taps[1:-1]))
        left, best, right = taps[top - 1 : top + 2]
        shift = 0.5 * (right - left) / max(2 * best - left - right, 1e-12)
        shift = max(-1.0, min(1.0, shift))
        height = best + 0.25 * (right - left) * shift
        f0 = rate / (lag + (top - 4 + shift) / 4)
        if 65.0 <= f0 <= 450.0:
            strength = 1 / height if height > 1 else height
            voiced.append((f0, strength - 0.01 * math.log2(450.0 / f0)))
    return made + sorted(voiced, key=lambda candidate: -candidate[1])[:14]


def _weight(away: float) -> float:
    return float(np.sinc(away)) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, abs(away) / 31)))


def paths(tracked: list[Candidates], rate: int, *, step: int) -> list[list[float]]:
    """For each number of frames, from none on: F0 on the best of all paths through so many."""
    scale = 0.01 * rate / step
    made: list[list[float]] = [[]]
    ways: list[tuple[float, list[float]]] = []  # the best to each candidate of the last frame, with its score
    for frame in tracked:
        ways = [
            max(
                ((score + strength - _cost(way[-1], f0, scale), [*way, f0]) for score, way in ways),
                key=lambda scored: scored[0],
            )
            if ways
            else (strength, [f0])
            for f0, strength in frame
        ]
        made.append(max(ways, key=lambda scored: scored[0])[1])
    return made


def complete(end: int, rate: int, *, step: int) -> int:
    """How many frames have windows that end by the sample ``end``."""
    half = math.floor(3 * rate / 65.0) // 2 - 1
    return max(0, (end - half - step // 2) // step + 1)


def _cost(before: float, f0: float, scale: float) -> float:
    if (before > 0) != (f0 > 0):
        return 0.14 * scale
    return 0.35 * scale * abs(math.log2(f0 / before)) if f0 else 0.0
