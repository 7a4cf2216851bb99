"""Describe a model (a model directory, an experiment) or a preset: rates, receptive field, size, engine."""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.counts import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="MODEL|PRESET",
        help="name of a packaged model, folder, YAML file or preset's name; default: default",
    )


def run(options: argparse.Namespace) -> None:
    """Print a table."""
    from vqspeech.generation import describe_engine
    from vqspeech.model.checkpoint import load_model
    from vqspeech.model.packaged import find_model, packaged_models
    from vqspeech.model.vqvae import VQVAE
    from vqspeech.training.config import read_preset
    from vqspeech.training.preset_file import packaged_presets
    from vqspeech.training.units.config import FOLDER as UNITS_PRESETS
    from vqspeech.training.units.config import read_units_preset

    if options.what is None or options.what in packaged_models() or Path(options.what).is_dir():
        network = load_model(find_model(options.what))
        speakers = f"{len(network.speakers)}: {', '.join(network.speakers)}" if network.speakers else "none: units only"
    else:
        # A preset has no speakers yet; one stands for them all.
        units_only = options.what in packaged_presets(UNITS_PRESETS)
        preset = read_units_preset(options.what) if units_only else read_preset(options.what)
        network = VQVAE(preset.model, () if units_only else ("speaker",))
        speakers = "none: units only" if units_only else "as many as the training data have"
    config = network.config
    rate, hop = config.audio.sample_rate, config.code_hop
    field = config.decoder.receptive_field
    past, ahead = network.encoder.reach
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    rows = {
        "sample rate": f"{rate} Hz",
        "samples per code": f"{hop} ({1000 * hop / rate:g} ms)",
        "code rate": f"{config.code_rate:g} Hz",
        "codebook": f"{counted(config.quantizer.codes, 'code')} of {counted(config.encoder.dimension, 'dimension')}",
        "bitrate": f"{config.bitrate:.0f} bit/s at most (log2 {config.quantizer.codes} x {config.code_rate:g})",
        "encoder context": f"{1000 * past / rate:.0f} ms before and {1000 * ahead / rate:.0f} ms after a code",
        "look-ahead": f"{1000 * (ahead + network.conditioner.reach[1] * hop) / rate:.0f} ms"
        + (", and statistics of the whole recording" if config.encoder.utterance_norm else ""),
        "receptive field": f"{field} samples ({1000 * field / rate:.0f} ms) of the decoder",
        "decoder": f"{config.decoder.layers} layers, {config.decoder.residual} residual, {config.decoder.skip} skip",
        "parameters": ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in sizes.items() if count),
        "speakers": speakers,
        "engine": describe_engine(),
    }
    if not network.speakers:
        # What stands in the config for a decoder is neither trained nor used.
        rows = {name: row for name, row in rows.items() if name not in ("receptive field", "decoder", "engine")}
    for name, value in rows.items():
        print(f"{name:<16} {value}")
