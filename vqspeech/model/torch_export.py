"""Encoder and quantiser as a ``torch.export`` program (``.pt2``), for waveforms of any length.

It is the package's own arithmetic, Fourier transform included, and needs torch alone to run. What is not in it: reading
and levelling recordings; adapting codes to a voice, whose F0 is Praat's; the decoder, where a sample depends on those
before it.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import warnings
from typing import Any

import torch

from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.vqvae import VQVAE
from vqspeech.model.waveform_to_codes import LogMel, WaveformToCodes, facts

#: Among the program's extra files: what ``facts`` says, in JSON.
FACTS = "vqspeech.json"


def export_torch(network: VQVAE, target: str | os.PathLike[str], checksum: str) -> None:
    """Write ``WaveformToCodes`` of a model as a ``torch.export`` program.

    Args:
        network: in evaluation mode, on the CPU.
        target: the file.
        checksum: of what decides the codes, for the file's metadata.

    Raises:
        InputError: this torch cannot, or the model's codes come from another system.
        OSError: the file cannot be written.
    """
    config: Any = importlib.import_module("torch.fx.experimental._config")
    if not hasattr(config, "backed_size_oblivious"):
        raise InputError(f"torch {torch.__version__} exports no graph of any length", hint="pip install 'torch>=2.8'")
    module = WaveformToCodes(network, LogMel).eval()
    example = torch.zeros(1, 3 * network.config.audio.sample_rate // 2 + 7)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch, on its own parts
        # Otherwise a recording of one code alone would be another graph, and an error in this one.
        with config.patch(backed_size_oblivious=True):
            program = torch.export.export(
                module, (example,), dynamic_shapes={"waveform": {1: torch.export.Dim("samples", min=1)}}
            )
        torch.export.save(program, buffer, extra_files={FACTS: json.dumps(facts(network, checksum))})
    with atomic_open(target, "wb") as file:
        file.write(buffer.getbuffer())
