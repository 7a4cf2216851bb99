"""Features of a self-supervised model as what an auxiliary head learns, for codes that follow what is said.

The model is one of torchaudio's HuBERT, WavLM or wav2vec 2.0; its weights come from a file, for those who have them.
Codes that must predict such features carry more of the words (Zhang et al. 2024, "SpeechTokenizer", teach the first
quantiser of a codec so). Features are computed from the clean recording, whatever the encoder's input was put through.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.errors import InputError, decoding
from vqspeech.training.config import FeatureConfig

#: Sample rate of all these models, samples from one of their frames to the next, and samples that a frame sees.
RATE, HOP, WINDOW = 16000, 320, 400
#: Those that want a waveform of mean 0 and variance 1.
NORMALIZED = ("hubert_large", "hubert_xlarge", "wavlm_large")


class FeatureTargets:
    """Compute the features of clean recordings.

    Args:
        config: which model, and which of its layers.
        weights: its state dict, as torchaudio's bundles store it.
        sample_rate: of the recordings, in Hz.
        hop: samples per frame that the features are wanted at.

    Raises:
        InputError: the file is missing or damaged, or holds the weights of another model.
    """

    def __init__(self, config: FeatureConfig, weights: Path, *, sample_rate: int, hop: int) -> None:
        from vqspeech.torchaudio_import import torchaudio

        make: Callable[[], nn.Module] = getattr(torchaudio.models, config.model)
        model = make()
        if not weights.is_file():
            raise InputError("no such file", where=weights, hint=f"give the weights of {config.model} (--features)")
        with decoding(
            "not the weights of a model", where=weights, hint="give a state dict as torchaudio's bundles have it"
        ):
            try:
                state = torch.load(weights, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                raise ValueError(str(error)) from None
        try:
            model.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError):
            raise InputError(
                f"not the weights of {config.model}", where=weights, hint="name the model in training.features.model"
            ) from None
        layers = len(model.encoder.transformer.layers)  # type: ignore[union-attr, arg-type]
        if config.layer > layers:
            raise InputError(
                f"training.features.layer is {config.layer}", where=weights, hint=f"it has layers 1 to {layers}"
            )
        self.model = model.eval().requires_grad_(False)
        self.config = config
        self.sample_rate = sample_rate
        self.hop = hop

    @torch.no_grad()
    def __call__(self, waveform: Tensor) -> Tensor:
        """``(batch, time)`` -> ``(batch, time / hop, dimension)``: features of mean 0 and variance 1 in each frame.

        The frames' centres lie half a hop into each hop; between the model's own frames, features are interpolated.
        """
        from vqspeech.torchaudio_import import torchaudio

        self.model.to(waveform.device)
        frames = waveform.shape[1] // self.hop
        resampled = torchaudio.functional.resample(waveform, self.sample_rate, RATE)
        if self.config.model in NORMALIZED:
            resampled = F.layer_norm(resampled, resampled.shape[1:])
        with torch.autocast(waveform.device.type, enabled=False):
            layers, _ = self.model.extract_features(resampled, num_layers=self.config.layer)  # type: ignore[operator]
        features = F.layer_norm(layers[-1], layers[-1].shape[2:])  # (batch, model frames, dimension)
        centres = (torch.arange(frames, device=waveform.device) + 0.5) * self.hop * RATE / self.sample_rate
        position = ((centres - WINDOW / 2) / HOP).clamp(0, features.shape[1] - 1)  # (frames,)
        low = position.long()
        high = (low + 1).clamp(max=features.shape[1] - 1)
        part = (position - low)[:, None]  # (frames, 1)
        return features[:, low] * (1 - part) + features[:, high] * part
