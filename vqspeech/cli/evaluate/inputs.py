"""What the measures of ``vqspeech evaluate`` share: options, and the reading of codes, phones, speakers and audio."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from vqspeech import alignment, codes, ranges
from vqspeech.alignment import Alignment, Format, PhoneSet, phone_class
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.codes import Codes
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.npy import read_npy

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir
    from vqspeech.evaluation.frames import Frames, Pairing

#: Share by which codes may be longer or shorter than the phones before there is a note.
_LENGTH_SLACK = 0.1
#: Folders of models that are called alike in every experiment, and so say nothing of which system it was.
_NAMELESS = ("best", "pretrained")
#: Share of silent frames from which there is a note.
_MUCH_SILENCE = 0.2


def add_codes(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``--codes`` and what foreign codes need."""
    group = parser.add_argument_group("codes")
    group.add_argument(
        "--codes",
        required=required,
        metavar="PATH",
        help="codes.txt with codes.json beside it; or, with --frame-period, plain lists, fairseq's .km, textless's "
        "file|codes, DiscoPhon's or slamkit's .jsonl, .npy with an index, or a folder of .npy",
    )
    add_foreign(group)


def add_foreign(group: argparse._ActionsContainer) -> None:
    """What codes of other systems do not say of themselves."""
    group.add_argument(
        "--frame-period", type=ranges.FRAME_PERIOD, metavar="SECONDS", help="seconds from one code to the next"
    )
    group.add_argument(
        "--offset", type=ranges.OFFSET, metavar="SECONDS", help="centre of the first frame; default: half the period"
    )
    group.add_argument(
        "--codebook-size",
        type=ranges.CODEBOOK,
        metavar="N",
        help="number of codes; default: the highest that occurs + 1",
    )
    group.add_argument("--manifest", metavar="TSV", help="fairseq's manifest, which names the lines of a .km")


def add_phones(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``--phones``, their format and their set."""
    group = parser.add_argument_group("phones")
    group.add_argument(
        "--phones",
        required=required,
        metavar="PATH",
        help="phones.ctm, or a folder of .TextGrid, .phn or .lab files, or a data directory that holds phones.ctm",
    )
    group.add_argument("--phones-format", choices=get_args(Format), help="where the suffix does not say")
    group.add_argument("--tier", help="tier of TextGrids; default: the one whose name ends with 'phones'")
    group.add_argument(
        "--phone-set",
        choices=["auto", "as-is", *get_args(PhoneSet)],
        default="auto",
        help="phones to count in; auto: the paper's 41 where all labels are known, else as they are",
    )
    group.add_argument("--phone-map", metavar="FILE", help="your own set: a file of two columns, label and phone")


def system_name(read: Codes, path: str) -> str:
    """What to call the system that made the codes: its model where that says something, else the file in its folder."""
    if read.info.model and read.info.model not in _NAMELESS:
        return read.info.model
    return "/".join(Path(path).absolute().parts[-2:])


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--data``, for the baselines that are made of audio."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data directory with the recordings, for the MFCC baselines; without it they are left out",
    )
    add_allow_pipes(parser)


def shard(text: str) -> tuple[int, int]:
    """``2/4``, the second of four shares, as argparse takes it."""
    number, _, shares = text.partition("/")
    if not (number.isdecimal() and shares.isdecimal() and 1 <= int(number) <= int(shares)):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not K/N, such as 2/4")
    return int(number), int(shares)


def add_speakers(parser: argparse.ArgumentParser) -> None:
    """``--utt2spk``."""
    parser.add_argument(
        "--utt2spk",
        metavar="FILE",
        help="speakers; default: the utt2spk beside the phones, else utterance ids up to their first - or _",
    )


def read_codes(path: str, options: argparse.Namespace) -> Codes:
    """The codes at ``path``, by ``codes.json`` or by the options for foreign ones."""
    return codes.read_units(
        path,
        frame_period=options.frame_period,
        offset=options.offset,
        codebook_size=options.codebook_size,
        manifest=options.manifest if path == options.codes else None,
    )


def read_phones(paths: Sequence[str], options: argparse.Namespace) -> tuple[list[Alignment], str]:
    """The alignments at ``paths``, folded to one set, and the set's name."""
    read = [alignment.read(path, format=options.phones_format, tier=options.tier) for path in paths]
    for path, phones in zip(paths, read, strict=True):
        for fault in alignment.faults(phones):
            if fault.kind in ("overlap", "before the start"):
                raise InputError(str(fault), where=path, hint="correct it: a frame can have one phone only")
    if options.phone_map:
        table = alignment.read_phone_map(options.phone_map)
        return [alignment.fold(phones, table, merge=True) for phones in read], f"by {options.phone_map}"
    chosen = options.phone_set
    if chosen == "auto":
        labels = {interval.label for phones in read for row in phones.values() for interval in row}
        chosen = "as-is" if alignment.unknown_labels(sorted(labels), "paper-41") else "paper-41"
    if chosen == "as-is":
        return read, "as they are"
    return [alignment.fold(phones, chosen, merge=True) for phones in read], chosen


def read_speakers(options: argparse.Namespace) -> dict[str, str]:
    """Utterance id -> speaker, as far as a file says."""
    path = Path(options.utt2spk) if options.utt2spk else None
    if path is None:
        phones = Path(getattr(options, "phones", None) or options.codes)
        beside = (phones if phones.is_dir() else phones.parent) / "utt2spk"
        if not beside.is_file():
            return {}
        path = beside
    speakers: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 text: {error.reason}", where=path, hint="a line is: utterance-id speaker"
        ) from None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if len(words) != 2:
            raise InputError(f"{len(words)} fields", where=path, line=number, hint="a line is: utterance-id speaker")
        speakers[words[0]] = words[1]
    return speakers


@dataclass(frozen=True)
class Part:
    """Codes and phones of one part (the test or the training one), and their frames."""

    path: str
    codes: Codes
    phones: Alignment
    pairing: Pairing

    @property
    def frames(self) -> Frames:
        """The frames that have both."""
        return self.pairing.frames


def make_part(path: str, read: Codes, phones: Alignment, speakers: Mapping[str, str]) -> Part:
    """Bring codes and phones together."""
    from vqspeech.evaluation.frames import pair

    return Part(path, read, phones, pair(read, phones, speakers=speakers, where=path))


def test_part(options: argparse.Namespace) -> tuple[Part, str]:
    """The part that ``--codes`` and ``--phones`` name, and the name of the phone set."""
    alignments, phone_set = read_phones([options.phones], options)
    read = read_codes(options.codes, options)
    return make_part(options.codes, read, alignments[0], read_speakers(options)), phone_set


def left_out_of(part: Part) -> list[str]:
    """Which utterances have no part in figures of this part."""
    pairing, notes = part.pairing, []
    if pairing.without_phones:
        notes.append(
            f"{counted(len(pairing.without_phones), 'utterance')} with codes but without phones left out, "
            f"e.g. {pairing.without_phones[0]}"
        )
    if pairing.without_codes:
        notes.append(
            f"{counted(len(pairing.without_codes), 'utterance')} with phones but without codes left out, "
            f"e.g. {pairing.without_codes[0]}"
        )
    return notes


def notes_of(part: Part) -> list[str]:
    """What the reader of figures of this part must know."""
    pairing, notes = part.pairing, left_out_of(part)
    labels = part.frames.labels
    silent = float(np.mean([phone_class(labels[index]) == "silence" for index in part.frames.phones]))
    if silent > _MUCH_SILENCE:
        notes.append(f"{100 * silent:.0f} % of the frames are silent, which lifts the accuracy: see it without silence")
    share = pairing.unlabelled / len(part.frames)
    if share > 0.001:
        notes.append(f"{100 * share:.1f} % of the frames have no phone and count as silence")
    if abs(pairing.length_ratio - 1) > _LENGTH_SLACK:
        notes.append(
            f"the codes are {pairing.length_ratio:.2f} times as long as the phones: is the frame period of "
            f"{part.codes.info.frame_period:g} s right?"
        )
    return notes


def read_data(path: str) -> DataDir:
    """A data directory, for its audio."""
    from vqspeech.datadir import DataDir

    return DataDir.read(path)


def read_vectors(path: str, dimensions: int) -> NDArray[np.float32]:
    """A ``.npy`` array of numbers with so many dimensions."""
    array = read_npy(path)
    if array.ndim != dimensions:
        raise InputError(
            "not an array of numbers of shape (rows, dimensions)",
            where=path,
            hint="save one array of that shape with numpy.save",
        )
    if not np.isfinite(array).all():
        raise InputError("a value is no finite number", where=path, hint="compute them again, without NaN or infinity")
    return array.astype(np.float32)


def add_codebook(parser: argparse.ArgumentParser, use: str) -> None:
    """``--codebook``."""
    parser.add_argument(
        "--codebook",
        metavar="NPY|MODEL",
        help=f"vectors of the codes, as .npy (codes, dimensions) or of the model that made them, {use}",
    )


def read_codebook(path: str | None, read: Codes) -> NDArray[np.float32] | None:
    """A codebook, shape ``(codes, dimensions)``, with a vector for each code; None without a path.

    Args:
        path: an array, or a model.
        read: the codes that it belongs to.
    """
    if path is None:
        return None
    size = read.info.codebook_size
    if path.endswith(".npy"):
        codebook = read_vectors(path, 2)
    else:
        import vqspeech

        model = vqspeech.load(path)
        if read.info.checksum is not None and read.info.checksum != model.code_info.checksum:
            raise InputError("the codes were made by another model", where=path, hint="give --codebook that one")
        codebook = model.codebook
    if len(codebook) < size:
        raise InputError(f"{len(codebook)} vectors for {size} codes", where=path, hint="give the codes' own codebook")
    return codebook
