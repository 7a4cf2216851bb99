"""What ``convert`` and ``decode`` share: many utterances through one engine, each written as soon as it is decoded."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.cli.common.sources import SUFFIXES
from vqspeech.errors import InputError
from vqspeech.files import locked, path_in, require_writable, same_file
from vqspeech.pipes import Pipe
from vqspeech.pitch import INTONATIONS
from vqspeech.speaker_blend import voice_label

if TYPE_CHECKING:
    from vqspeech.api import Model, Through
    from vqspeech.generation.partial_output import PartialOutput

#: Seconds of speech per stream in a group of utterances: several of usual length, one after the other.
_STREAM_SECONDS = 15
#: Seconds of speech from which what is finished of an utterance is kept in a file.
_LONG_SECONDS = 60


def add_speaker(parser: argparse.ArgumentParser) -> None:
    """Declare ``--speaker``."""
    parser.add_argument(
        "--speaker",
        required=True,
        metavar="NAME",
        help="whose voice (vqspeech speakers lists them), or a blend of several: NAME:WEIGHT,NAME:WEIGHT",
    )


def add_f0(parser: argparse.ArgumentParser) -> None:
    """Declare ``--f0`` and ``--f0-shift``."""
    parser.add_argument(
        "--f0",
        choices=INTONATIONS,
        default="source",
        help="intonation: the source's, the model's own choice (target), or a monotone (flat); default: source",
    )
    parser.add_argument(
        "--f0-shift",
        type=ranges.SEMITONES,
        default=0.0,
        metavar="SEMITONES",
        help="move all of the intonation; default: 0",
    )


@dataclass(frozen=True)
class Speech:
    """Codes to decode and where to write the speech.

    Attributes:
        codes: ``(frames,)``.
        samples: how many samples to keep; None for all.
        target: WAV or FLAC file, or ``-``.
        pitch: intonation, as ``Model.pitch`` gives it; None leaves it to the model.
    """

    codes: NDArray[np.int32]
    samples: int | None
    target: str
    pitch: NDArray[np.float32] | None = None


class Targets:
    """Where each utterance is written, and never over what is there without ``--force``.

    Args:
        out: ``--out``: a file, ``-``, a folder, or None for beside the source.
        speaker: becomes part of the file's name.
        several: whether there is more than one utterance. Of several, those already written are left out, so that an
            interrupted run goes on; a single one is refused.
        force: write over what is there.

    Raises:
        InputError: one file for several utterances.
    """

    def __init__(self, out: Path | None, speaker: str, *, several: bool, force: bool) -> None:
        self.out = out
        self.label = voice_label(speaker)
        self.several = several
        self.force = force
        self.skipped = 0
        self.given: dict[str, str] = {}
        is_file = out is not None and (
            str(out) == "-" or (out.suffix.lower() in (".wav", ".flac") and not out.is_dir())
        )
        if out is not None and out.suffix.lower() in SUFFIXES and not is_file and not out.is_dir():
            raise InputError("cannot write this kind of audio file", where=out, hint="name it .wav or .flac")
        self.file = str(out) if is_file else None
        if is_file and several:
            raise InputError("one file for several recordings", where=out, hint="give a folder")

    def path(self, name: str, recording: str) -> str | None:
        """The file for an utterance, or None if it is there already.

        Raises:
            InputError: the only one is there already, or two recordings have the same name.
        """
        path = self.file
        if path is None:
            beside = recording == "-" or isinstance(recording, Pipe)
            folder = self.out or (Path() if beside else Path(recording).parent)
            path = str(path_in(folder, f"{name}-{self.label}", ".wav"))
        other = self.given.setdefault(path, recording)
        if other != recording:
            raise InputError(f"would be written twice, from {other} and {recording}", where=path, hint="rename one")
        if path == "-":
            return path
        if Path(path).is_file() and not isinstance(recording, Pipe) and same_file(path, recording):
            raise InputError("is the recording itself", where=path, hint="give another name to --out")
        if self.force or not Path(path).exists():
            require_writable(path)
            return path
        if self.several:
            self.skipped += 1
            return None
        raise InputError("is there already", where=path, hint="--force writes over it, --out writes elsewhere")

    def say_skipped(self) -> None:
        """Print how many were left out."""
        if self.skipped:
            verb = "was" if self.skipped == 1 else "were"
            print(f"{self.skipped} {verb} there already (--force makes them again)", file=sys.stderr)


class Faults:
    """Recordings that cannot be used: each is reported and the others go on, unless it is the only one.

    Args:
        command: for the message.
        alone: whether there is only one recording.
    """

    def __init__(self, command: str, *, alone: bool) -> None:
        self.command = command
        self.alone = alone
        self.count = 0

    @property
    def status(self) -> int:
        """The command's exit status."""
        return 2 if self.count else 0

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Where the input of the block is bad, say so and go on."""
        try:
            yield
        except InputError as error:
            if self.alone:
                raise
            self.count += 1
            print(f"vqspeech {self.command}: {error}", file=sys.stderr)


def synthesise(
    model: Model,
    speeches: Iterable[Speech],
    speaker: str | Iterable[str],
    *,
    seed: int,
    temperature: float,
    through: Through = "decoder",
) -> None:
    """Synthesise everything, many at a time, and print how long it took.

    What is finished of a long utterance is kept in ``TARGET.partial``, from which the same command goes on.

    Args:
        model: what decodes.
        speeches: what to decode.
        speaker: one voice for all, or one for each.
        seed: as for ``Model.decode``.
        temperature: as for ``Model.decode``.
        through: as for ``Model.decode_many``.

    Raises:
        InputError: another process writes a long utterance.
    """
    from vqspeech import audio

    parts = (
        ((speech, speaker) for speech in speeches) if isinstance(speaker, str) else zip(speeches, speaker, strict=True)
    )
    means = f"{model.engine.name}, {model.engine.precision}" if through == "decoder" else "mel head, Griffin-Lim"
    for group in _groups(parts, model):
        began = time.monotonic()
        seconds = 0.0
        with _partial_outputs([speech for speech, _ in group], model) as outputs:
            waveforms = model.decode_many(
                [speech.codes for speech, _ in group],
                [voice for _, voice in group],
                pitch=[speech.pitch for speech, _ in group],
                through=through,
                seed=seed,
                temperature=temperature,
                progress=_progress(outputs),
                partial_outputs=outputs,
            )
            for (speech, _), waveform in zip(group, waveforms, strict=True):
                kept = waveform[: speech.samples]
                audio.write(speech.target, kept, model.sample_rate)
                seconds += len(kept) / model.sample_rate
        took = time.monotonic() - began
        last = group[-1][0].target
        what = last if len(group) == 1 else f"{len(group)} files, the last of them {last}"
        speed = f" in {took:.1f} s, {seconds / took:.2f} x real time"
        if any(output is not None and output.resumed for output in outputs):
            speed = f", what was left of it in {took:.1f} s"
        print(f"{what}: {seconds:.1f} s of speech{speed} ({means})", file=sys.stderr)


@contextmanager
def _partial_outputs(speeches: Sequence[Speech], model: Model) -> Iterator[list[PartialOutput | None]]:
    """For each long utterance a file beside its target that keeps what is finished until all of it is."""
    from vqspeech.generation.partial_output import PartialOutput

    least = _LONG_SECONDS * model.network.config.code_rate
    outputs: dict[str, PartialOutput] = {}
    of_each: list[PartialOutput | None] = []
    with ExitStack() as locks:
        for speech in speeches:
            output = None
            # The same recording may be given twice.
            if len(speech.codes) >= least and speech.target != "-" and speech.target not in outputs:
                locks.enter_context(locked(speech.target))
                output = outputs[speech.target] = PartialOutput(f"{speech.target}.partial")
            of_each.append(output)
        try:
            yield of_each
        except KeyboardInterrupt:
            for target, output in outputs.items():
                if output.filled:
                    parts = f"{len(output.filled)} of {output.chunks} parts are finished"
                    print(f"{target}: {parts}, the same command goes on with the others", file=sys.stderr)
            raise
        for output in outputs.values():
            output.path.unlink(missing_ok=True)


def _progress(outputs: Sequence[PartialOutput | None]) -> Callable[[int, int], None]:
    """Show how far generation is and, before, which utterances go on."""
    from vqspeech.cli.common.progress import bar

    draw: Callable[[int, int], None] | None = None

    def progress(done: int, total: int) -> None:
        nonlocal draw
        if draw is None:
            for output in outputs:
                if output is not None and output.resumed:
                    parts = f"{output.resumed} of {output.chunks} parts are finished"
                    print(f"{output.path}: {parts}, the others follow", file=sys.stderr)
            draw = bar("decoding", "sample")
        draw(done, total)

    return progress


def _groups(speeches: Iterable[tuple[Speech, str]], model: Model) -> Iterator[list[tuple[Speech, str]]]:
    """As many at a time as give each of the engine's streams about ``_STREAM_SECONDS``.

    Of many, those of like length are drawn together; of too many, an interruption would cost much.
    """
    group: list[tuple[Speech, str]] = []
    seconds = 0.0
    for speech, voice in speeches:
        group.append((speech, voice))
        seconds += len(speech.codes) / model.network.config.code_rate
        if seconds >= _STREAM_SECONDS * model.engine.width:
            yield group
            group, seconds = [], 0.0
    if group:
        yield group
