"""Data directories of a language of ZeroSpeech 2019.

    prepare.py DIR/english DATA

Writes DATA/train and DATA/dev (units and voices together), DATA/test, and DATA/synthesis/VOICE, the test sentences that
each target voice is to say, as synthesis.txt lists them: one line per file, with the voice after a blank or a comma.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from vqspeech import audio
from vqspeech.datadir import DataDir, Utterance, split
from vqspeech.errors import InputError

SHARES = {"train": 0.95, "dev": 0.05}


def recordings(folder: Path) -> list[Utterance]:
    """The recordings in a folder, named SPEAKER_NUMBER.wav.

    Raises:
        InputError: there are none, or a name is another.
    """
    found = []
    for file in sorted(folder.glob("*.wav")):
        speaker, mark, _ = file.stem.partition("_")
        if not mark:
            raise InputError("expected SPEAKER_NUMBER.wav", where=file, hint="is this the challenge's folder?")
        found.append(Utterance(file.stem, speaker, str(file.resolve()), duration=audio.duration(file)))
    if not found:
        raise InputError("no recordings in it", where=folder, hint="is this the challenge's folder?")
    return found


def wanted(listing: Path, test: DataDir, voices: tuple[str, ...]) -> dict[str, list[Utterance]]:
    """Voice -> what it is to say.

    Raises:
        InputError: a line names no test sentence or no voice.
    """
    found: dict[str, list[Utterance]] = {}
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        words = re.split(r"[\s,]+", line.strip())
        if words == [""]:
            continue
        name = Path(words[0]).name.removesuffix(".wav")
        voice = words[1] if len(words) > 1 else voices[0]
        if name not in test or voice not in voices:
            raise InputError(f"{line!r} names no test sentence and voice", where=listing, line=number)
        found.setdefault(voice, []).append(test[name])
    return found


def main(source: Path, data: Path) -> None:
    """Write all directories."""
    voice = recordings(source / "train" / "voice")
    train = DataDir([*recordings(source / "train" / "unit"), *voice])
    test = DataDir(recordings(source / "test"))
    for name, part in split(train, by="utterance", parts=SHARES, at_least=1).items():
        part.write(data / name)
    test.write(data / "test")
    voices = tuple(sorted({one.speaker for one in voice}))
    for name, utterances in wanted(source / "synthesis.txt", test, voices).items():
        DataDir(utterances).write(data / "synthesis" / name)


if __name__ == "__main__":
    if len(sys.argv) != 3 or "--help" in sys.argv:
        sys.stdout.write((__doc__ or "").lstrip())
        sys.exit("--help" not in sys.argv)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (InputError, OSError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
