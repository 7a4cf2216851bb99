"""A run that begins with the weights of a trained model, which may have other voices and another decoder.

Layers that are new come after the old ones and are silent at first: their part of the skip sum is zero, so the run
begins exactly as good as the model it begins from (Chen, Goodfellow and Shlens 2016, "Net2Net", keeps a function so).
A codebook of another size is placed anew on what the trained encoder makes of speech.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.model.config import WaveNetConfig
from vqspeech.model.vqvae import VQVAE


@torch.no_grad()
def initialise_from(model: VQVAE, trained: VQVAE, *, where: str, new_codebook: bool = False) -> None:
    """Give ``model`` the weights of ``trained``.

    Args:
        model: new. It may have other voices; those that ``trained`` lacks begin as the mean of those it has. Its
            decoder may have more layers; one that differs in anything else begins with weights of its own.
        trained: the model to begin from.
        where: what to call it in an error.
        new_codebook: let ``model`` have another number of codes; its codebook is then as if it had never been placed.

    Raises:
        InputError: the two differ in something else.
    """
    same_codes = model.config.quantizer.codes == trained.config.quantizer.codes
    _check(model, trained, where, any_codes=new_codebook)
    begun, old = model.state_dict(), trained.state_dict()
    deepened = _is_deepened(model.config.decoder, trained.config.decoder)
    anew = {"adapters", "speaker_stats"}
    if not deepened:
        anew.add("decoder")
    if not same_codes:
        anew.add("quantizer")
    for name, tensor in old.items():
        if name.partition(".")[0] not in anew and name in begun and tensor.shape == begun[name].shape:
            begun[name].copy_(tensor)
    # Of a kept model the codebook is averaged over training steps, the sums are not: the first update by moving
    # averages would undo it.
    if same_codes:
        quantizer = model.quantizer
        quantizer.sums.copy_(quantizer.codebook * quantizer.counts[:, None])  # (codes, dimension)
    _voices(model, trained)
    if deepened:
        _deepen(model, trained)


@torch.no_grad()
def initialise_decoder(model: VQVAE, trained: VQVAE, *, where: str) -> None:
    """Give a model of another system's codes the decoder of ``trained`` and what fits of its conditioning network.

    Args:
        model: new; the vectors of its codes stay as they are.
        trained: the model to begin from.
        where: what to call it in an error.

    Raises:
        InputError: their audio differs, or no part of one fits the other.
    """
    if model.config.audio != trained.config.audio:
        raise InputError("its model.audio is another", where=where, hint="use the same rate, level and companding")
    begun, old = model.state_dict(), trained.state_dict()
    parts = ("decoder.", "conditioner.blocks.", "conditioner.pitch.", "conditioner.mel_head.")
    fits = [
        name for name, row in old.items() if name.startswith(parts) and name in begun and begun[name].shape == row.shape
    ]
    if not any(name.startswith("decoder.") for name in fits):
        raise InputError("its decoder has other sizes", where=where, hint="use those of that model in model.decoder")
    for name in fits:
        begun[name].copy_(old[name])
    if model.conditioner.speakers.weight.shape[1] == trained.conditioner.speakers.weight.shape[1]:
        _voices(model, trained)


def _is_deepened(new: WaveNetConfig, old: WaveNetConfig) -> bool:
    """Whether one decoder is the other with layers added, or the same."""
    return new.layers >= old.layers and msgspec.structs.replace(new, layers=old.layers) == old


def _check(model: VQVAE, trained: VQVAE, where: str, *, any_codes: bool) -> None:
    quantizer = model.config.quantizer
    if not any_codes:
        quantizer = msgspec.structs.replace(quantizer, codes=trained.config.quantizer.codes)
    # A head that only trains the others may come or go.
    conditioner = msgspec.structs.replace(trained.config.conditioner, features=model.config.conditioner.features)
    # What conversion does before the encoder is none of training's.
    encoder = msgspec.structs.replace(trained.config.encoder, f0_warp=model.config.encoder.f0_warp)
    wanted = msgspec.to_builtins(
        msgspec.structs.replace(
            trained.config,
            encoder=encoder,
            quantizer=quantizer,
            conditioner=conditioner,
            decoder=model.config.decoder,
        )
    )
    for section, values in msgspec.to_builtins(model.config).items():
        for key, value in values.items():
            if value != wanted[section][key]:
                raise InputError(
                    f"its model.{section}.{key} is {wanted[section][key]}, not {value}",
                    where=where,
                    hint="begin from a model that differs in its voices and its decoder alone",
                )


def _voices(model: VQVAE, trained: VQVAE) -> None:
    vectors, known = model.conditioner.speakers.weight, trained.conditioner.speakers.weight
    for row, speaker in enumerate(model.speakers):
        vectors[row] = known[trained.speakers.index(speaker)] if speaker in trained.speakers else known.mean(0)


def _deepen(model: VQVAE, trained: VQVAE) -> None:
    new, old = model.decoder, trained.decoder
    layers = old.config.layers

    def first(ours: Tensor, theirs: Tensor, dimension: int) -> None:
        ours.narrow(dimension, 0, theirs.shape[dimension]).copy_(theirs)

    first(new.conditioning.weight, old.conditioning.weight, 0)
    first(new.conditioning.bias, old.conditioning.bias, 0)
    first(new.skip.weight, old.skip.weight, 1)
    new.skip.weight[:, layers * new.config.gate :] = 0
