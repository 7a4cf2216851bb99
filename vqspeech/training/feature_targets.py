"""Features of a self-supervised model as what an auxiliary head learns, for codes that follow what is said.

The model is one of torchaudio's HuBERT, WavLM or wav2vec 2.0, for those who have their weights, or a unit model of this
package. Codes that must predict such features carry more of the words (Zhang et al. 2024, "SpeechTokenizer", teach the
first quantiser of a codec so). Features are computed from the clean recording, whatever the encoder's input was put
through.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.training.config import FeatureConfig
from vqspeech.training.feature_teachers import find_teacher


class FeatureTargets:
    """Compute the features of clean recordings.

    Args:
        config: which model, and which of its layers.
        weights: of the model, see ``find_teacher``.
        sample_rate: of the recordings, in Hz.
        hop: samples per frame that the features are wanted at.

    Raises:
        InputError: the file is missing or damaged, or holds another model.
    """

    def __init__(self, config: FeatureConfig, weights: Path, *, sample_rate: int, hop: int) -> None:
        self.teacher = find_teacher(config, weights)
        self.sample_rate = sample_rate
        self.hop = hop
        #: Of a frame's features.
        self.dimension = self(torch.zeros(1, max(sample_rate, 2 * hop))).shape[2]

    @torch.no_grad()
    def __call__(self, waveform: Tensor) -> Tensor:
        """``(batch, time)`` -> ``(batch, time / hop, dimension)``: features of mean 0 and variance 1 in each frame.

        The frames' centres lie half a hop into each hop; between the model's own frames, features are interpolated.
        """
        from vqspeech.torchaudio_import import torchaudio

        teacher = self.teacher
        teacher.network.to(waveform.device)
        frames = waveform.shape[1] // self.hop
        resampled = torchaudio.functional.resample(waveform, self.sample_rate, teacher.rate)
        with torch.autocast(waveform.device.type, enabled=False):
            features = teacher.features(resampled)
        features = F.layer_norm(features, features.shape[2:])  # (batch, model frames, dimension)
        centres = (torch.arange(frames, device=waveform.device) + 0.5) * self.hop * teacher.rate / self.sample_rate
        position = ((centres - teacher.first_centre) / teacher.hop).clamp(0, features.shape[1] - 1)  # (frames,)
        low = position.long()
        high = (low + 1).clamp(max=features.shape[1] - 1)
        part = (position - low)[:, None]  # (frames, 1)
        return features[:, low] * (1 - part) + features[:, high] * part  # (batch, frames, dimension)
