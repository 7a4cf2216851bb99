"""Codes of other systems in training and decoding."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vqspeech.counts import counted
from vqspeech.errors import InputError

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.api import Model
    from vqspeech.codes import CodeInfo, Codes
    from vqspeech.training.config import Preset

#: Share by which the period of codes may differ from what a model was trained on.
_SLACK = 1e-3


def require_rate(info: CodeInfo, model: Model, where: str | os.PathLike[str]) -> None:
    """Check that codes are of the rate that a model takes; raises InputError if not."""
    wanted = model.code_info.frame_period
    if abs(info.frame_period / wanted - 1) > _SLACK:
        raise InputError(
            f"a code every {1000 * info.frame_period:g} ms, but the model takes one every {1000 * wanted:g} ms",
            where=where,
            hint="use the model of these codes, or correct their frame period",
        )


def external_codes(preset: Preset, options: argparse.Namespace) -> tuple[Preset, dict[str, NDArray[np.int32]] | None]:
    """The preset with the codebook size and times of ``--codes`` in it, and the codes; of an encoder, as it is.

    Raises:
        InputError: codes are given and the preset has an encoder, or the other way round; or the files do not fit each
            other.
    """
    if not preset.model.encoder.external:
        if options.codes:
            raise InputError(
                "--codes, but the preset trains an encoder",
                where=options.preset,
                hint="use decoder-50hz, or a preset with model.encoder.front_end=external",
            )
        return preset, None
    if not options.codes:
        raise InputError("the preset has no encoder", where=options.preset, hint="give the codes with --codes")
    read = [_read(path, options) for path in options.codes]
    info = read[0].info
    sequences: dict[str, NDArray[np.int32]] = {}
    for path, one in zip(options.codes, read, strict=True):
        if (one.info.frame_period, one.info.offset) != (info.frame_period, info.offset):
            raise InputError(f"other frame times than {options.codes[0]}", where=path, hint="give codes of one system")
        twice = sequences.keys() & one.sequences.keys()
        if twice:
            raise InputError(f"utterance {min(twice)} is in two files", where=path, hint="keep one of them")
        sequences |= one.sequences
    return _fitted(preset, info, max(one.info.codebook_size for one in read), options), sequences


def _read(path: str, options: argparse.Namespace) -> Codes:
    from vqspeech import codes

    return codes.read_units(
        path,
        frame_period=options.frame_period,
        offset=options.offset,
        codebook_size=options.codebook_size,
        manifest=options.manifest,
    )


def _fitted(preset: Preset, info: CodeInfo, size: int, options: argparse.Namespace) -> Preset:
    """The preset for these codes: their number, their times, and frames as long as they are, or nearly."""
    from vqspeech.model.config import ExternalCodes

    model, training = preset.model, preset.training
    step = model.conditioner.hop
    hop = max(1, round(info.frame_period * model.audio.sample_rate / step)) * step
    source = ExternalCodes(
        frame_period=info.frame_period,
        offset=info.offset,
        model=info.model or Path(options.codes[0]).stem,
        checksum=info.checksum,
    )
    exact = abs(hop / (info.frame_period * model.audio.sample_rate) - 1) < _SLACK
    milliseconds = 1000 * hop / model.audio.sample_rate
    about = "codes" if exact else f"of {milliseconds:g} ms, each with the code nearest to its centre"
    print(f"{counted(size, 'code')}, {1 / info.frame_period:g} per second; the model's frames are {about}")
    replace = msgspec.structs.replace
    fitted = replace(
        preset,
        model=replace(
            model,
            encoder=replace(model.encoder, mel_hop=hop, source=source),
            quantizer=replace(model.quantizer, codes=max(2, size)),
        ),
        training=replace(training, segment=max(hop, training.segment // hop * hop)),
    )
    fitted.check(str(options.preset))
    return fitted
