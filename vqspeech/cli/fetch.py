"""Download a corpus: a broken download goes on where it stopped, and is taken for whole only when its sum is right.

    vqspeech fetch https://example.org/corpus.zip --checksum sha256:f962... --out downloads/corpus.zip --unpack corpus

What has come lies in FILE.part until then. --unpack makes a folder of a ZIP or tar archive, whole or not at all; where
that folder is, nothing is left to do, and the archive need not be kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def _checksum(text: str) -> str:
    """A checksum, refused before anything is asked of the server."""
    from vqspeech.corpora.download import kind_and_digest
    from vqspeech.errors import InputError

    try:
        return ":".join(kind_and_digest(text))
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("url", metavar="URL", help="address of HTTP or HTTPS")
    parser.add_argument(
        "--checksum", type=_checksum, required=True, metavar="KIND:HEX", help="of the file: sha256:... or md5:..."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument("--unpack", type=Path, metavar="DIR", help="then unpack it as this folder")


def run(options: argparse.Namespace) -> None:
    """Download, then unpack."""
    from vqspeech.cli.common.progress import bar
    from vqspeech.corpora.download import fetch, unpack

    if options.unpack and options.unpack.exists():
        print(f"{options.unpack}: is there already")
        return
    fetch(options.url, options.out, checksum=options.checksum, progress=bar(options.out.name, "B"))
    print(f"{options.out}: {options.out.stat().st_size} bytes, the sum is right")
    if options.unpack:
        unpack(options.out, options.unpack)
        print(f"{options.unpack}: unpacked")
