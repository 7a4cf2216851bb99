"""Tones for tests of reading and writing."""

from __future__ import annotations

import numpy as np


def tone(seconds: float, rate: int, *, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    length = min(len(a), len(b))
    a, b = a[:length].astype(float), b[:length].astype(float)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))
