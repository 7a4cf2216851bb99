"""Audio for ``vqspeech evaluate prior``: synthesis of codes, comparison recordings, the recogniser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.common.model import add_engine, add_model
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.sources import SUFFIXES
from vqspeech.cli.evaluate import inputs
from vqspeech.errors import InputError, MissingExtraError
from vqspeech.files import path_in

if TYPE_CHECKING:
    from vqspeech.api import Model
    from vqspeech.codes import Codes
    from vqspeech.evaluation.prior import Compared
    from vqspeech.evaluation.prior.page import Example
    from vqspeech.evaluation.prior.words import Listener, Reader

    #: System -> name -> what gives its waveform at 16 kHz.
    Sounds = dict[str, dict[str, Reader]]


def add_speech(parser: argparse.ArgumentParser) -> None:
    """Declare the options of speech."""
    speech = parser.add_argument_group("speech, for the recogniser and the players of the page")
    speech.add_argument("--speak", action="store_true", help="decode them by the model that made them")
    speech.add_argument("--speaker", metavar="NAME", help="in whose voice; default: the model's first")
    speech.add_argument("--sample-wavs", type=Path, metavar="DIR", help="samples, spoken: NAME.wav, as in --samples")
    speech.add_argument("--data", metavar="DIR", help="recordings of --codes, to transcribe as they are and reversed")
    speech.add_argument("--whisper", metavar="PATH", help="as evaluate conversion has it; default: pocketsphinx")
    speech.add_argument("--language", default="en", metavar="CODE", help="of the speech, for Whisper; default: en")
    speech.add_argument("--dictionary", type=Path, metavar="FILE", help="one word per line; default: pocketsphinx's")
    add_engine(speech, threads="of the engine and Whisper")
    add_model(parser)
    add_allow_pipes(parser)


def speaking_model(options: argparse.Namespace, held_out: Codes) -> Model | None:
    """The model that decodes, where speech is wanted."""
    if not options.speak:
        return None
    from vqspeech.cli.common.model import load

    model = load(options)
    if held_out.info.checksum not in (None, model.code_info.checksum):
        raise InputError("codes of another model", where=options.codes, hint="name the model with --model")
    if options.speaker is not None:
        model.speaker_index(options.speaker)
    return model


def listener_of(options: argparse.Namespace) -> tuple[Listener | None, frozenset[str] | None, tuple[str, ...]]:
    """The recogniser, the dictionary, and a sentence on each that is not there."""
    from vqspeech.evaluation.prior import words as prior_words

    if not (options.speak or options.sample_wavs or options.data):
        return None, None, ()
    listener: Listener | None = None
    known, notes = None, []
    try:
        if options.whisper:
            listener = prior_words.WhisperListener(options.whisper, language=options.language, threads=options.threads)
        else:
            listener = prior_words.PocketSphinxListener()
            notes.append("pocketsphinx writes words of its dictionary alone: --whisper gives the share of known words")
    except MissingExtraError as error:
        notes.append(str(error))
    if listener is not None and not listener.closed:
        try:
            known = prior_words.dictionary(options.dictionary)
        except MissingExtraError as error:
            notes.append(str(error))
    return listener, known, tuple(notes)


def sounds_of(options: argparse.Namespace, model: Model | None, compared: Compared, held_out: Codes) -> Sounds:
    """System -> name -> waveform at 16 kHz of what is there to listen to."""
    from vqspeech import audio

    sounds: Sounds = {}
    if options.sample_wavs:
        sounds["samples"] = {name: _file(options.sample_wavs, name) for name in compared.systems["samples"]}
    if model is not None:
        sounds |= _spoken(options, model, compared)
    if options.data:
        data = inputs.read_data(options.data)
        seconds = held_out.info.duration(compared.frames)
        sounds["recording"] = {}
        for name in compared.systems["real"]:
            if name not in data:
                raise InputError(
                    f"no recording of utterance {name}", where=options.data, hint="give the directory of --codes"
                )
            one = data[name]
            kept = _head(
                lambda one=one: audio.read(one.recording, start=one.start, end=one.end),  # type: ignore[misc]
                seconds,
            )
            sounds["recording"][name] = kept
    backwards = sounds.get("recording") or sounds.get("real", {})
    if backwards:
        sounds["reversed"] = {name: _backwards(read) for name, read in backwards.items()}
    return sounds


def _file(folder: Path, name: str) -> Reader:
    from vqspeech import audio

    path = next((file for suffix in SUFFIXES if (file := path_in(folder, name, suffix)).is_file()), None)
    if path is None:
        raise InputError(f"no speech of sample {name}", where=folder, hint=f"name it {name}.wav")
    return lambda: audio.read(path)


def _head(read: Reader, seconds: float) -> Reader:
    from vqspeech import audio

    return lambda: read()[: round(seconds * audio.SAMPLE_RATE)]


def _backwards(read: Reader) -> Reader:
    import numpy as np

    return lambda: np.ascontiguousarray(read()[::-1])


def _spoken(options: argparse.Namespace, model: Model, compared: Compared) -> Sounds:
    """All systems' codes, said by the model in one voice; with ``--out``, kept as files."""
    from vqspeech import audio
    from vqspeech.cli.common.progress import bar

    voice = options.speaker or model.speakers[0]
    sounds: Sounds = {}
    for system, sequences in compared.systems.items():
        spoken = model.decode_many(
            list(sequences.values()), voice, seed=options.seed, progress=bar(f"decoding, {system}", "sample")
        )
        sounds[system] = {}
        for name, waveform in zip(sequences, spoken, strict=True):
            if options.out:
                audio.write(path_in(options.out / "wav", f"{system}-{name}", ".wav"), waveform, model.sample_rate)
            waveform = audio.resample(waveform, model.sample_rate, audio.SAMPLE_RATE)
            sounds[system][name] = lambda waveform=waveform: waveform  # type: ignore[misc]
    return sounds


def examples(sounds: Sounds) -> Iterator[Example]:
    """The samples first; of what stands beside them, fewer."""
    from vqspeech.evaluation.prior.page import EXAMPLES, Example

    for system, recordings in sounds.items():
        for name, read in list(recordings.items())[: EXAMPLES if system == "samples" else 2]:
            yield Example(system, name, read())
