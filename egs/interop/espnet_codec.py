"""A vqspeech model as a codec of ESPnet (``espnet2.gan_codec.abs_gan_codec.AbsGANCodec``, releases 202412 to 202511).

    model = ESPnetGANCodecModel(VqspeechCodec("units"))
    codes = model.encode(audio)  # (1 stream, batch, codes)

It stands where ESPnet's SoundStream, EnCodec or DAC stand: in ``ESPnetGANCodecModel``, and behind it wherever speech is
turned into discrete tokens. It is trained by vqspeech and not by ESPnet's GAN task.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from espnet2.gan_codec.abs_gan_codec import AbsGANCodec
from torch import Tensor, nn

import vqspeech


class VqspeechCodec(AbsGANCodec):
    """One stream of codes.

    Args:
        model: as for ``vqspeech.load``: a packaged model's name, a folder, ``hf://owner/name``.
        speaker: the voice to decode in; the model's first if not given.
        device: where the encoder computes.
    """

    def __init__(self, model: str = "default", speaker: str | None = None, device: str = "cpu") -> None:
        super().__init__()
        self.model = vqspeech.load(model, device=device)
        self.speaker = speaker or next(iter(self.model.speakers), None)
        # ESPnetGANCodecModel insists on the names; nothing is trained here.
        self.generator = self.model.network
        self.discriminator = nn.Identity()

    def meta_info(self) -> dict[str, Any]:
        """Sample rate, and the streams' number, frame shift in samples and sizes."""
        config = self.model.network.config
        return {
            "fs": self.model.sample_rate,
            "num_streams": 1,
            "frame_shift": config.code_hop,
            "code_size_per_stream": [config.quantizer.codes],
        }

    def encode(self, x: Tensor, **_: Any) -> Tensor:
        """``(batch, 1, samples)`` or ``(samples,)`` at ``fs`` -> ``(1, batch, codes)`` int64.

        Recordings of a batch are to be equally long, as everywhere in ESPnet's codecs: what one is filled up with is
        encoded, too.
        """
        rows = x.reshape(-1, x.shape[-1]).detach().cpu().numpy()
        codes = self.model.encode_many(list(rows))
        return torch.from_numpy(np.stack(codes).astype(np.int64)).to(x.device)[None]

    def decode(self, x: Tensor, **_: Any) -> Tensor:
        """``(1, batch, codes)`` -> ``(batch, 1, samples)`` at ``fs``.

        Raises:
            InputError: the model has no voices, as ``units``.
        """
        if self.speaker is None:
            raise vqspeech.InputError(f"{self.model.folder} has no voices", hint="decode with a model that has some")
        waveforms = self.model.decode_many(list(x[0].cpu().numpy()), speaker=self.speaker)
        return torch.from_numpy(np.stack(waveforms)).to(x.device)[:, None]

    def forward(self, *_: Any, **__: Any) -> Any:
        """Not trained here.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("train with `vqspeech train` or `vqspeech train-units`")
