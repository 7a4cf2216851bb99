#!/usr/bin/env python3
"""Attach codes to lhotse's cuts: ``cut.codes`` is a TemporalArray, which is cut, padded and batched with its cut.

    vqspeech encode cuts.jsonl.gz --model units --out exp/shards --shards 8
    vqspeech join exp/shards exp/codes
    egs/interop/lhotse_codes.py cuts.jsonl.gz exp/codes exp/with_codes

writes ``exp/with_codes/cuts.jsonl.gz`` and the arrays, with lhotse's own writers. Encoding goes on where it stopped and
runs in as many jobs as there are shards; attaching needs no model. Cuts without codes are left out and counted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from vqspeech.codes import MappedCodes
from vqspeech.errors import InputError, decoding
from vqspeech.files import atomic_path, path_in


def attach(cuts: Path, codes: Path, out: Path) -> tuple[int, int]:
    """Write the cuts with a field ``codes``.

    Args:
        cuts: lhotse's cuts, read one by one.
        codes: what ``vqspeech join`` wrote for them.
        out: the folder to write.

    Returns:
        Cuts with codes, and cuts left out.

    Raises:
        InputError: a file is missing or damaged, or an id would lead out of ``out``.
    """
    from lhotse import CutSet, NumpyFilesWriter

    if not cuts.is_file():
        raise InputError("no such file", where=cuts, hint="give a cuts.jsonl.gz")
    units = MappedCodes(codes)
    known = set(units.ids())
    out.mkdir(parents=True, exist_ok=True)
    kept = left = 0
    with (
        decoding("not lhotse's cuts", where=cuts, hint="give a cuts.jsonl.gz"),
        atomic_path(out / "cuts.jsonl.gz") as temporary,
        NumpyFilesWriter(out / "codes") as arrays,
        CutSet.open_writer(temporary, overwrite=True) as written,
    ):
        for cut in CutSet.from_file(cuts):
            if cut.id not in known:
                left += 1
                continue
            path_in(out, cut.id)  # an id becomes a file's name
            cut.codes = arrays.store_array(
                key=cut.id,
                value=np.asarray(units[cut.id], np.int32),
                frame_shift=units.info.frame_period,
                temporal_dim=0,
                start=cut.start,
            )
            written.write(cut)
            kept += 1
    return kept, left


def main() -> int:
    """Attach, and say how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cuts", type=Path, help="cuts.jsonl or cuts.jsonl.gz")
    parser.add_argument("codes", type=Path, help="folder that vqspeech join wrote")
    parser.add_argument("out", type=Path, help="folder to write")
    options = parser.parse_args()
    try:
        kept, left = attach(options.cuts, options.codes, options.out)
    except (InputError, OSError) as error:
        print(f"lhotse_codes.py: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out / 'cuts.jsonl.gz'}: {kept} cuts with codes, {left} without any left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
