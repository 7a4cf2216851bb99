"""A submission to ZeroSpeech 2019, in a ZIP: embeddings and speech of the test sentences, and metadata.yaml.

LANGUAGE/test/S002_0379088085.txt has a row for each code, the numbers of its vector in the codebook;
LANGUAGE/test/V002_0379088085.wav is the sentence in the voice V002. `auxiliary_embedding1` is not used.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from pathlib import Path

import yaml

import vqspeech
from vqspeech import codes
from vqspeech.counts import counted
from vqspeech.datadir import DataDir
from vqspeech.errors import InputError
from vqspeech.files import atomic_path

#: All entries of the same date: the same submission is the same file.
_DATE = (2019, 1, 1, 0, 0, 0)


def main(options: argparse.Namespace) -> None:
    """Write the ZIP.

    Raises:
        InputError: the codes are another model's, or a converted sentence is missing.
    """
    model = vqspeech.load(options.model)
    units = codes.read(options.codes)
    if units.info.checksum != model.code_info.checksum:
        raise InputError("made by another model", where=options.codes, hint="encode again")
    vectors = model.network.quantizer.codebook.detach().numpy()
    rows = [" ".join(f"{value:.6f}" for value in vector) + "\n" for vector in vectors]
    metadata = {
        "author": options.author,
        "affiliation": options.affiliation,
        "system description": f"VQ-VAE with a WaveNet decoder: {units.info.codebook_size} codes, "
        f"{1 / units.info.frame_period:g} a second",
        "abx distance": "dtw_cosine",
        "open source": False,
        "using parallel train": False,
        "using external data": False,
    }
    with atomic_path(options.out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, content: str | bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)

        add("metadata.yaml", yaml.safe_dump(metadata, sort_keys=False))
        for name, sequence in units.sequences.items():
            add(f"{options.language}/test/{name}.txt", "".join(rows[code] for code in sequence))
        for folder in sorted(options.synthesis.iterdir()):
            for sentence in DataDir.read(folder):
                file = options.converted / f"{sentence.id}-{folder.name}.wav"
                if not file.is_file():
                    raise InputError("is missing", where=file, hint="run the stage that converts again")
                number = sentence.id.partition("_")[2]
                add(f"{options.language}/test/{folder.name}_{number}.wav", file.read_bytes())
    sys.stdout.write(f"{options.out}: {counted(len(units.sequences), 'sentence')}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", required=True, help="english or surprise")
    parser.add_argument("--codes", type=Path, required=True, metavar="CODES.txt", help="of the test sentences")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="that made them")
    parser.add_argument("--converted", type=Path, required=True, metavar="DIR", help="the speech")
    parser.add_argument("--synthesis", type=Path, required=True, metavar="DIR", help="a data directory a voice")
    parser.add_argument("--author", required=True, help="for metadata.yaml")
    parser.add_argument("--affiliation", required=True, help="for metadata.yaml")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.zip", help="to write")
    try:
        main(parser.parse_args())
    except (InputError, OSError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
