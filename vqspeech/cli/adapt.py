"""Teach a model one more voice from a minute of recordings: a new model directory, all other voices as they were.

vqspeech adapt --data my-recordings/ --speaker me --out my-model
vqspeech convert --model my-model --src a.wav --speaker me

The last sixth of the recordings is held out and says when to stop. Stopped before, the same command goes on where it
was. Add only voices whose owners agree.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.common.model import add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.sources import Source, sources
from vqspeech.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.api import Model
    from vqspeech.training.adaptation import Fitted

#: Seconds of speech, pauses at the ends of recordings left out, under which a voice cannot be learnt.
LEAST_SECONDS = 15.0
#: Steps of learning, at most.
STEPS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="the recordings: a folder of them, or a data directory"
    )
    parser.add_argument("--speaker", required=True, metavar="NAME", help="what to call the new voice")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model directory to make")
    add_model(parser)
    add_allow_pipes(parser)
    parser.add_argument("--steps", type=ranges.COUNT, default=STEPS, metavar="N", help=f"at most; default: {STEPS}")
    parser.add_argument("--threads", type=ranges.WORKERS, metavar="N", help="CPU threads; default: all cores")
    parser.add_argument("--seed", type=ranges.SEED, default=0, metavar="N", help="of the order of learning; default: 0")


def run(options: argparse.Namespace) -> None:
    """Fit the voice, write the model and say what it is worth."""
    _require_name(options.speaker)
    if options.steps < 1:
        raise InputError(f"{options.steps} steps teach nothing", where="--steps", hint="give 1 or more")
    if options.out.exists() and not (options.out.is_dir() and not any(options.out.iterdir())):
        raise InputError("is there already", where=options.out, hint="name a new folder")
    found = _recordings(options.data, options.speaker)

    import torch

    from vqspeech.training.adaptation import VoiceFit, add_voice

    if options.threads:
        torch.set_num_threads(options.threads)
    model = load(options)
    if options.speaker in model.speakers:
        raise InputError(
            f"the model has a voice {options.speaker!r} already", where="--speaker", hint="choose another name"
        )
    waveforms = _read(model, found, options.data)
    codes = [model.encode_waveform(waveform) for waveform in waveforms]
    fit = VoiceFit(model.network, waveforms, codes, seed=options.seed)
    checkpoint = options.out.with_name(f"{options.out.name}.partial")
    _say(f"{fit.seconds:.0f} s of speech in {len(found)} recordings, the last sixth of it held out")
    try:
        fitted = fit.run(checkpoint, steps=options.steps, progress=_progress)
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from there")
        raise
    base = "the packaged model" if options.model is None else f"`{options.model}`"
    with _whole_folder(options.out) as folder:
        from vqspeech.model.checkpoint import save_model

        said = torch.cat([model.vectors(waveform) for waveform in waveforms])
        adapted = add_voice(model.network, options.speaker, fitted.adapter, said, fit.pitch_statistics)
        save_model(adapted, folder)
        (folder / "README.md").write_text(
            _card(options.speaker, base, model, fitted, len(found), fit.seconds), encoding="utf-8"
        )
    checkpoint.unlink(missing_ok=True)
    print(
        f"{options.out}: {options.speaker}, {fitted.after:.3f} nats per sample held out "
        f"({fitted.before:.3f} in the nearest voice, {fitted.nearest})"
    )


def _require_name(name: str) -> None:
    """A name must stand in a line of a list, in a blend and in the name of a file."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"{name!r} cannot be a speaker's name", where="--speaker", hint="use letters, digits, - _ .")


def _recordings(data: Path, speaker: str) -> list[Source]:
    """The recordings of one speaker.

    Raises:
        InputError: there are none, or those of several speakers.
    """
    if not data.is_dir():
        raise InputError("no such folder", where=data, hint="give a folder of recordings, or a data directory")
    if not (data / "wav.scp").is_file():
        return sources([str(data)])
    from vqspeech.datadir import DataDir

    groups = DataDir.read(data).by_speaker()
    if len(groups) > 1 and speaker not in groups:
        raise InputError(
            f"holds {len(groups)} speakers, none called {speaker!r}", where=data, hint="name one of them with --speaker"
        )
    chosen = groups.get(speaker) or next(iter(groups.values()), ())
    return [Source(u.id, u.recording, u.start, u.end) for u in chosen]


def _read(model: Model, found: list[Source], data: Path) -> list[NDArray[np.float32]]:
    """The recordings at the model's rate and level, without silence at their ends.

    Raises:
        InputError: one cannot be read or holds NaN, or there is too little speech in all.
    """
    from vqspeech import audio

    rate = model.sample_rate
    read = (model.read(source.recording, start=source.start, end=source.end) for source in found)
    speech = [audio.trim_silence(waveform, rate) for waveform in read if audio.active_rms(waveform, rate)]
    seconds = sum(map(len, speech)) / rate
    if seconds < LEAST_SECONDS:
        raise InputError(
            f"{seconds:.1f} s of speech, too little to learn a voice from",
            where=data,
            hint=f"give {LEAST_SECONDS:.0f} s at the very least; a minute is good",
        )
    return speech


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write in that takes the place of ``target`` when all is written, and only then."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        mask = os.umask(0)
        os.umask(mask)
        folder.chmod(0o777 & ~mask)
        folder.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _card(speaker: str, base: str, model: Model, fitted: Fitted, recordings: int, seconds: float) -> str:
    """The card of the new model: what it was made from, what the voice is worth, and the card of the first."""
    from vqspeech import __version__

    made = (
        f"Made by `vqspeech adapt` {__version__} from {base} (SHA-256 of its weights {model.checksum}) and "
        f"{recordings} recordings, {seconds:.0f} s, of the speaker {speaker}."
    )
    text = f"""# A model with the voice {speaker} added

{made}

The voice has a speaker's vector, a conditioning network and a projection into the decoder's layers of its own, learnt
from the recordings. Encoder, codebook, decoder and all other voices are the first model's, to the bit.

| the last sixth of the recordings, not learnt from | nats per sample |
|---|---|
| in the nearest voice of the first model, {fitted.nearest} | {fitted.before:.3f} |
| in the voice {speaker}, after {fitted.steps} steps | {fitted.after:.3f} |

It is a person's voice: use it as that person agreed to, do not deceive with it, and tell listeners that it is
synthetic.
"""
    first = model.folder / "README.md"
    if first.is_file():
        body = re.sub(r"^#", "##", first.read_text(encoding="utf-8"), flags=re.MULTILINE)
        text += f"\n## The model it was made from\n\n{body}"
    return text


def _progress(step: int, steps: int, nll: float) -> None:
    _say(f"step {step}/{steps}  held out: nll {nll:.3f}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
