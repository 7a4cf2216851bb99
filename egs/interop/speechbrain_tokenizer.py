"""A vqspeech model as a tokenizer of SpeechBrain, with the methods of its benchmark of discrete tokens, DASB.

DASB's recipes call ``sig_to_tokens``, ``tokens_to_sig`` and ``get_pretrained_embeddings`` of ``BaseTokenizer`` in
``benchmarks/DASB/model/tokenizer_interface.py`` of speechbrain/benchmarks (branch DASB). Copy this file beside it and
write ``tokenizer: !new:speechbrain_tokenizer.VqspeechTokenizer`` in the recipe's YAML. Shapes are SpeechBrain's:
lengths are relative to the longest of the batch, and tokens of one codebook are (batch, codes, 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

import vqspeech


class VqspeechTokenizer(nn.Module):
    """One codebook.

    Args:
        source: as for ``vqspeech.load``: a packaged model's name, a folder, ``hf://owner/name``.
        speaker: the voice of ``tokens_to_sig``; the model's first if not given.
        device: where the encoder computes.

    Attributes:
        sample_rate: of the signals it takes and gives, in Hz.
        num_clusters: codes of the codebook.
    """

    def __init__(self, source: str = "units", speaker: str | None = None, device: str = "cpu") -> None:
        super().__init__()
        self.model = vqspeech.load(source, device=device)
        self.speaker = speaker or next(iter(self.model.speakers), None)
        self.sample_rate = self.model.sample_rate
        self.num_clusters = self.model.code_info.codebook_size

    @torch.no_grad()
    def encode(self, wav: Tensor, wav_lens: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Codes and their vectors, each utterance's as if it were alone, padded with zeros.

        Args:
            wav: ``(batch, samples)``.
            wav_lens: ``(batch,)``, of the longest; all are as long where it is not given.

        Returns:
            Tokens ``(batch, codes, 1)`` int64, embeddings ``(batch, codes, 1, dimension)``.
        """
        shares = torch.ones(len(wav)) if wav_lens is None else wav_lens.cpu()
        lengths = [max(1, round(float(share) * wav.shape[1])) for share in shares]
        rows = [row[:length] for row, length in zip(wav.detach().cpu().numpy(), lengths, strict=True)]
        codes = [torch.from_numpy(found.astype(np.int64)) for found in self.model.encode_many(rows)]
        tokens = pad_sequence(codes, batch_first=True).to(wav.device)[..., None]
        return tokens, self.get_pretrained_embeddings().to(wav.device)[tokens]

    def forward(self, wav: Tensor, wav_lens: Tensor | None = None) -> Tensor:
        """The tokens of ``encode``."""
        return self.encode(wav, wav_lens)[0]

    def sig_to_tokens(
        self, signal: Tensor, lengths: Tensor | None, num_codebooks: int | None = None, **_: Any
    ) -> Tensor:
        """As ``forward``; there is one codebook.

        Raises:
            ValueError: more are asked for.
        """
        if num_codebooks not in (None, 1):
            raise ValueError(f"{num_codebooks} codebooks asked for, the model has 1")
        return self(signal, lengths)

    @torch.no_grad()
    def tokens_to_sig(self, tokens: Tensor, **_: Any) -> Tensor:
        """``(batch, codes, 1)`` -> ``(batch, samples)``.

        Raises:
            InputError: the model has no voices, as ``units``.
        """
        if self.speaker is None:
            raise vqspeech.InputError(f"{self.model.folder} has no voices", hint="give source='default'")
        waveforms = self.model.decode_many(list(tokens[..., 0].cpu().numpy()), speaker=self.speaker)
        return torch.from_numpy(np.stack(waveforms)).to(tokens.device)

    def get_pretrained_embeddings(self, *_: Any, **__: Any) -> Tensor:
        """The codebook, ``(codes, dimension)`` float32, whatever size and number of codebooks are stated."""
        return torch.from_numpy(self.model.codebook)
