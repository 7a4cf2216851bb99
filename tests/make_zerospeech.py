"""A corpus laid out as ZeroSpeech 2019's, made of other speech: for trying the recipe, which needs the layout.

make_zerospeech.py OUT VOICE-FOLDER UNIT-FOLDER...
"""

from __future__ import annotations

import sys
from pathlib import Path

from vqspeech import audio

#: Recordings of each folder, and how many of the unit folders' go to test.
MOST, TEST = 24, 2


def main(out: Path, folders: list[Path]) -> None:
    """Write OUT/english; the first folder becomes the target voice V001."""
    english = out / "english"
    lines = []
    for index, folder in enumerate(folders):
        speaker = "V001" if index == 0 else f"S{index:03}"
        files = sorted(file for file in folder.rglob("*") if file.suffix in (".wav", ".flac", ".ogg", ".opus"))
        for number, file in enumerate(files[:MOST]):
            part = "train/voice" if index == 0 else "test" if number < TEST else "train/unit"
            name = f"{speaker}_{number:010}"
            audio.write(english / part / f"{name}.wav", audio.read(file), audio.SAMPLE_RATE)
            if part == "test":
                lines.append(f"english/test/{name} V001\n")
    (english / "synthesis.txt").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])
