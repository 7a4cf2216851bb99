"""Turn recordings into codes: codes.txt, one line per utterance, and codes.json with rate and codebook size.

vqspeech encode a.wav                             prints the line
vqspeech encode data/test --out exp/codes.txt     a data directory; killed, it goes on where it stopped
vqspeech encode data/test --out exp/codes.txt --pitch exp/f0.txt     and the intonation beside the codes
vqspeech encode data/test --out exp/units.km --format fairseq        and in another system's format, beside units.txt
vqspeech encode rows.jsonl --out exp/shards --shards 64 --shard 3    one of 64 binary shards; vqspeech join joins them
vqspeech encode rows.jsonl --out exp/shards --shards     which of how many Slurm (array, srun) or torchrun says

With --shards, SRC is one data directory, folder (at any depth) or manifest: rows of path, start, end and id in .jsonl
or .parquet, or lhotse's cuts or folder of Shar. A shard that is there, of this model and these recordings, is not made
again, and one that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.cli.common.model import add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.shards import add_shards
from vqspeech.cli.common.sources import Source, require_unique, sources
from vqspeech.cli.common.synthesis import Faults
from vqspeech.codes.formats import FORMATS
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import name_fault, require_writable, same_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("src", nargs="+", metavar="SRC", help="files, folders, data directories, or - for stdin")
    parser.add_argument("--out", type=Path, metavar="CODES.txt", help="archive to write; default: print the lines")
    parser.add_argument("--pitch", type=Path, metavar="F0.txt", help="write F0 there, too, for vqspeech decode --pitch")
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="codes",
        help="of --out: " + "; ".join(f"{name}: {form.about}" for name, form in FORMATS.items()) + "; default: codes",
    )
    parser.add_argument(
        "--duration-penalty",
        type=ranges.WEIGHT,
        default=0.0,
        metavar="X",
        help="what a change of code costs, in units of the mean squared distance of two codes: fewer, longer units "
        "(evaluate phonemes shows what it trades); default: 0, the nearest codes",
    )
    add_shards(parser, purpose="write binary shards into the folder --out; without N as many as the job array has")
    add_model(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> int:
    """Encode everything; 2 if a recording could not be used."""
    from vqspeech import codes
    from vqspeech.cli.common.progress import bar

    if options.shards is not None or options.shard is not None:
        from vqspeech.cli.common.shards import encode_shards

        return encode_shards(options)
    found = sources(options.src)
    require_unique(found)
    _require_outputs(options, found)
    model = load(options)
    faults = Faults("encode", alone=len(found) == 1)

    def encoded(waveform: NDArray[np.float32]) -> NDArray[np.int32]:
        return model.encode_waveform(waveform, duration_penalty=options.duration_penalty)

    def read(source: Source) -> NDArray[np.float32]:
        if source.name.split() != [source.name]:
            raise InputError("a name with white space cannot be an id", where=source.recording, hint="rename it")
        if fault := name_fault(source.name):
            hint = "rename it, or set a UTF-8 locale: export LC_ALL=C.UTF-8"
            raise InputError(f"no id: {fault}", where=source.recording, hint=hint)
        return model.read(source.recording, start=source.start, end=source.end)

    archive = options.out
    if options.format != "codes":
        if archive is None:
            raise InputError("--format without --out", hint="name the file to write")
        archive = archive.with_suffix(".txt")
        if archive == options.out:
            raise InputError("is the text archive's own name", where=archive, hint="give --out another suffix")
    if options.out is None:
        if options.pitch:
            raise InputError("--pitch without --out", hint="name the archive of the codes, too")
        for source in found:
            with faults.caught():
                print(codes.format_line(source.name, encoded(read(source))), flush=True)
        return faults.status
    draw = bar("encoding", "utterance")
    identities = [_identity(source) for source in found]
    # Codes of another penalty are another archive, which a killed run cannot go on with.
    order = [*identities, options.duration_penalty] if options.duration_penalty else identities
    with ExitStack() as stack:
        writer = stack.enter_context(codes.Writer(archive, model.code_info, order))
        contours = None
        if options.pitch:
            contours = stack.enter_context(codes.ContourWriter(options.pitch, model.f0_times, identities))
        if writer.discarded:
            print(f"{archive}.partial: of other recordings or another model, begun again", file=sys.stderr)
        for done, source in enumerate(found, 1):
            with faults.caught():
                # Killed between the two, one of them may have a line more.
                missing = source.name not in writer.done
                without_pitch = contours is not None and source.name not in contours.done
                if missing or without_pitch:
                    waveform = read(source)
                if missing:
                    writer.append(source.name, encoded(waveform))
                if contours is not None and without_pitch:
                    contours.append(source.name, model.f0(waveform))
            draw(done, len(found))
        done_utterances = len(writer.done)
    if archive != options.out:
        codes.write_units(options.out, codes.read(archive), options.format)
    print(f"{options.out}: {counted(done_utterances, 'utterance')}")
    return faults.status


def _require_outputs(options: argparse.Namespace, found: list[Source]) -> None:
    """Before the model is loaded: files that can be written, and are neither recordings nor each other.

    Raises:
        InputError: they are not.
    """
    outputs = [path for path in (options.out, options.pitch) if path is not None]
    for path in outputs:
        require_writable(path)
        if path.exists() and any(same_file(path, str(source.recording)) for source in found):
            raise InputError("is one of the recordings", where=path, hint="give another name")
    if len(outputs) == 2 and outputs[0].resolve() == outputs[1].resolve():
        raise InputError("--out and --pitch are one file", where=outputs[0], hint="give two names")


def _identity(source: Source) -> tuple[object, ...]:
    """What makes a recording another one: where it is, and which part of it; not when it was written."""
    path = Path(source.recording)
    size = path.stat().st_size if path.is_file() else None
    return source.name, source.recording, size, source.start, source.end
