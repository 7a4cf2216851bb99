#!/usr/bin/env python3
"""Codes of exported models beside those of the package: in onnxruntime, as a torch.export program, and in bf16.

  .venv/bin/python tools/bench/exports.py [--model units] RECORDING_OR_FOLDER ...

Counts the codes and the recordings that differ. For each code that does it prints by how much its vector is nearer to
the code of the package: sums in another order can decide only between codes that lie equally near, up to rounding.
In bf16 (torch.autocast: products of the encoder and of the mel filters, the quantiser in fp32) it counts alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

import vqspeech
from vqspeech.model.onnx_export import export_onnx
from vqspeech.model.torch_export import export_torch

SUFFIXES = (".wav", ".flac", ".opus", ".ogg", ".mp3")


def recordings(places: list[Path]) -> Iterator[Path]:
    """The recordings in folders, at any depth, and single ones."""
    for place in places:
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from (path for path in found if path.suffix in SUFFIXES)


def margins(model: vqspeech.Model, waveform: Any, codes: Any, others: Any) -> list[float]:
    """Relative difference of a vector's squared distances from the two codes, for each code that differs."""
    places = np.flatnonzero(codes != others)
    if not len(places):
        return []
    vectors, book = model.vectors(waveform).cpu().numpy().astype(np.float64)[places], model.codebook.astype(np.float64)
    ours = ((vectors - book[codes[places]]) ** 2).sum(1)
    return (((vectors - book[others[places]]) ** 2).sum(1) / ours - 1).tolist()


def codes_in_bf16(model: vqspeech.Model, waveform: Any) -> Any:
    """The codes of ``(samples,)`` with the encoder's products in bf16, ``(frames,)``."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        vectors = model.vectors(waveform)
    return model.network.quantizer.nearest(vectors.float()).numpy()


def main() -> None:
    """Export, run and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", type=Path, nargs="+", metavar="RECORDING_OR_FOLDER")
    parser.add_argument("--model", default="default", help="as for vqspeech.load")
    options = parser.parse_args()
    model = vqspeech.load(options.model)
    with tempfile.TemporaryDirectory() as name:
        export_onnx(model.network, Path(name, "m.onnx"), "")
        export_torch(model.network, Path(name, "m.pt2"), "")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1  # its threads spin while they wait
        session = onnxruntime.InferenceSession(str(Path(name, "m.onnx")), settings)
        program = torch.export.load(Path(name, "m.pt2")).module()
    different: dict[str, list[tuple[Path, list[float]]]] = {"onnxruntime": [], "torch.export": []}
    files = total = in_bf16 = 0
    seconds: list[float] = []
    for path in recordings(options.places):
        waveform = model.read(path)
        codes = model.encode_waveform(waveform)
        with torch.no_grad():
            made = {
                "onnxruntime": session.run(None, {"waveform": waveform[None]})[0][0],
                "torch.export": program(torch.from_numpy(waveform)[None])[0].numpy(),
            }
        for engine, others in made.items():
            if (found := margins(model, waveform, codes, others)) != []:
                different[engine].append((path, found))
        in_bf16 += int((codes_in_bf16(model, waveform) != codes).sum())
        files, total = files + 1, total + len(codes)
        seconds.append(len(waveform) / model.sample_rate)
    print(f"{files} recordings of {min(seconds):.1f} to {max(seconds):.1f} s, {total} codes")
    for engine, rows in different.items():
        print(f"{engine}: {sum(len(found) for _, found in rows)} codes in {len(rows)} recordings differ")
        for path, found in rows:
            print(f"  {path}: nearer by {', '.join(f'{margin:.1e}' for margin in found)}")
    print(f"bf16: {in_bf16} codes differ, {in_bf16 / total:.2%}")


if __name__ == "__main__":
    main()
