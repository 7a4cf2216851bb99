"""Speaker perturbation: pitch and formants changed, timing kept.

An encoder that is given such copies while the decoder reconstructs the original learns to leave the speaker out of the
codes (Choi et al. 2021, "NANSY", section 3.1, perturb pitch and formants in this way).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Largest factor, up or down, on the formants and on the median pitch.
FORMANT_FACTOR = 1.3
PITCH_FACTOR = 1.6


def perturb_speaker(waveform: NDArray[np.float32], sample_rate: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Change pitch and formants at random with Praat's "Change gender", keeping length and timing.

    Args:
        waveform: ``(samples,)``.
        sample_rate: in Hz.
        rng: where the factors are drawn from, log-uniformly.

    Returns:
        ``(samples,)``. What Praat finds too short to analyse comes back unchanged.
    """
    import parselmouth
    from parselmouth.praat import call, run

    formants = FORMANT_FACTOR ** rng.uniform(-1, 1)
    pitch = PITCH_FACTOR ** rng.uniform(-1, 1)
    try:
        sound = parselmouth.Sound(waveform.astype(np.float64), sampling_frequency=sample_rate)
        contour = sound.to_pitch(time_step=0.01, pitch_floor=75.0, pitch_ceiling=500.0).selected_array["frequency"]
        voiced = contour[contour > 0]
        # Praat leaves the pitch alone at 0; without a voiced frame there is none to change.
        median = float(np.median(voiced)) * pitch if len(voiced) else 0.0
        # Praat rearranges voiceless segments at random, from a generator of its own.
        run(f"random_initializeWithSeedUnsafelyButPredictably ({rng.integers(1, 2**31)})")
        changed = call(sound, "Change gender", 75.0, 500.0, formants, median, 1.0, 1.0).values[0]
    except parselmouth.PraatError:
        return waveform
    fitted = np.zeros(len(waveform), np.float32)
    kept = min(len(waveform), len(changed))
    fitted[:kept] = changed[:kept]
    return fitted
