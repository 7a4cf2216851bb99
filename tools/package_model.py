"""Put a trained model, and its prior if it has one, where the package ships them, in half the size.

  .venv/bin/python tools/package_model.py EXP/decoder EXP/prior [--mean-shift S] [--unigram-prior W] [--f0-warp S]
  .venv/bin/python tools/package_model.py EXP --name units

Writes vqspeech/pretrained/ and vqspeech/pretrained/prior/, or vqspeech/pretrained/NAME/; the models' cards there are
written by hand, the prior's is the one that its training wrote.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import msgspec
import yaml

from vqspeech.model.checkpoint import codes_checksum, load_model, model_folder, save_model
from vqspeech.model.packaged import DEFAULT, PRETRAINED


def main() -> None:
    """Package a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model directory or experiment")
    parser.add_argument("prior", type=Path, nargs="?", help="prior directory or experiment")
    parser.add_argument("--name", default=DEFAULT, help="of the packaged model; default: default")
    parser.add_argument("--mean-shift", type=float, help="for model.quantizer.mean_shift, chosen on development data")
    parser.add_argument("--unigram-prior", type=float, help="for model.quantizer.unigram_prior, likewise")
    parser.add_argument("--f0-warp", type=float, help="for model.encoder.f0_warp, likewise")
    parser.add_argument("--out", type=Path, help="default: the package's own")
    options = parser.parse_args()
    out = options.out or (PRETRAINED if options.name == DEFAULT else PRETRAINED / options.name)
    source = model_folder(options.model)
    model = load_model(source)
    chosen = {"mean_shift": options.mean_shift, "unigram_prior": options.unigram_prior}
    quantizer = msgspec.structs.replace(
        model.config.quantizer, **{name: value for name, value in chosen.items() if value is not None}
    )
    encoder = model.config.encoder
    if options.f0_warp is not None:
        encoder = msgspec.structs.replace(encoder, f0_warp=options.f0_warp)
    model.config = msgspec.structs.replace(model.config, quantizer=quantizer, encoder=encoder)
    save_model(model, out, half=True)
    if options.prior is None:
        return
    best = options.prior / "checkpoints" / "best"
    prior = best if best.is_dir() else options.prior
    made_by = yaml.safe_load((prior / "config.yaml").read_text(encoding="utf-8"))["made_by"]
    if made_by != codes_checksum(out):
        raise SystemExit(f"{prior}: a prior over the codes of another model")
    (out / "prior").mkdir(exist_ok=True)
    for name in ("README.md", "config.yaml", "prior.safetensors", "speakers.txt"):
        if (prior / name).exists():
            shutil.copyfile(prior / name, out / "prior" / name)


if __name__ == "__main__":
    main()
