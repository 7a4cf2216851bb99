"""Between a waveform and the classes of a multi-band WaveNet: pre-emphasis, filter bank, and mu-law in each band."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vqspeech.companding import de_emphasis, mu_law_decode, mu_law_encode, pre_emphasis
from vqspeech.model.config import AudioConfig
from vqspeech.model.filter_bank import BankSynthesis, FilterBank

#: Full scale of a band over the level of active speech. Of 92 recordings from twelve corpora, half peak at a quarter of
#: it or less in every band, and three in some band beyond it. A range that holds nearly all peaks matters more than
#: fine steps, for steps of mu-law are relative: with full scale at the 0.9998 quantile, clipping alone took analysis,
#: mu-law and synthesis from 38 dB (34 in the worst recording) to 34 dB (14 in the worst).
HEADROOM = 1 / 0.06


class SubBandCompanding(nn.Module):
    """The chain from a waveform to the classes of all bands and back; see ``vqspeech.companding.Companding``.

    Pre-emphasis stays before the bank: it flattens the spectrum within the lowest band, where speech falls steeply, and
    brings all bands to about the same level.

    Args:
        config: of the model's audio; its ``gain`` is of what the encoder takes alone.
        bands: how many.

    Attributes:
        gains: ``(bands,)``, factors that bring each band to [-1, 1].
    """

    gains: Tensor

    def __init__(self, config: AudioConfig, bands: int) -> None:
        super().__init__()
        self.levels, self.emphasis, self.gain = config.levels, config.emphasis, config.gain
        self.bank = FilterBank(bands)
        self.register_buffer("gains", torch.full((bands,), 1 / (HEADROOM * config.rms)))

    @property
    def silence(self) -> int:
        """The class of a zero in any band, which stands before the first step."""
        return self.levels // 2

    def preemphasise(self, waveform: Tensor, previous: Tensor | None = None) -> Tensor:
        """Pre-emphasis and gain alone: the input of the encoder. ``(..., time)`` -> ``(..., time)``."""
        return pre_emphasis(waveform, self.emphasis, previous) * self.gain

    def classes(self, waveform: Tensor, previous: Tensor | None = None) -> Tensor:
        """``(batch, time)`` waveform -> ``(batch, time / bands, bands)`` int64 classes."""
        values = self.bank.analyse(pre_emphasis(waveform, self.emphasis, previous))  # (batch, bands, steps)
        return mu_law_encode(values * self.gains[:, None], self.levels).transpose(1, 2)

    def waveform(self, classes: Tensor) -> NDArray[np.float32]:
        """``(steps, bands)`` classes -> ``(steps x bands,)`` waveform."""
        stream = self.stream()
        return np.concatenate([stream.push(classes), stream.finish()])

    def stream(self) -> SubBandStream:
        """What turns classes into a waveform as they come."""
        return SubBandStream(self)


class SubBandStream:
    """The classes of one stream on their way back, in constant memory; see ``vqspeech.companding.WaveformStream``.

    Samples come ``bank.overlap`` later than the steps that stand for them: so far a step reaches.
    """

    def __init__(self, companding: SubBandCompanding) -> None:
        self._emphasis = companding.emphasis
        self._synthesis = BankSynthesis(companding.bank)
        levels = mu_law_decode(torch.arange(companding.levels), companding.levels)  # (levels,)
        self._values = (levels / companding.gains.cpu()[:, None]).numpy()  # (bands, levels)
        self._state = 0.0

    def push(self, classes: Tensor) -> NDArray[np.float32]:
        """Take ``(steps, bands)`` classes and give as many samples as they stand for, of what came before."""
        values = self._values[np.arange(len(self._values)), classes.cpu().numpy()]  # (steps, bands)
        return self._restored(self._synthesis.push(values))

    def finish(self) -> NDArray[np.float32]:
        """Give the last ``bank.overlap`` samples."""
        return self._restored(self._synthesis.finish())

    def _restored(self, shaped: NDArray[np.float32]) -> NDArray[np.float32]:
        restored, self._state = de_emphasis(shaped, self._emphasis, self._state)
        return restored.astype(np.float32)
