"""Decode one language's announcements: from the unpacked packages to WAV files of 16 kHz, each with its text beside it.

    decode.py PACKAGES/fr WAV/fr

Left out are sounds that are no speech: silence, and what the transcript describes in brackets. What is there already is
not done again.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, atomic_path

RATE = 16_000
#: Signs that a text is a description of a sound.
_NO_SPEECH = re.compile(r"^\s*[\[(]|^\s*$")


def transcripts(folder: Path) -> dict[str, str]:
    """Name of a sound, such as ``digits/1`` -> what is said.

    Raises:
        InputError: the package with the transcripts is not there.
    """
    files = list(folder.glob("usr/share/doc/*/core-sounds-*.txt.gz"))
    if not files:
        raise InputError("no transcripts in it", where=folder, hint="unpack asterisk-core-sounds-LANGUAGE into it")
    lines = gzip.decompress(files[0].read_bytes()).decode("utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line and not line.startswith(";"))
    return {name.strip(): text.strip() for name, text in pairs}


def decode(file: Path) -> np.ndarray:
    """The samples of a raw G.722 file, ``(samples,)`` at 16 kHz.

    Raises:
        InputError: neither ffmpeg nor PyAV is there.
    """
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(file), "-f", "s16le", "-ar", str(RATE), "-"]
        samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)
        return samples.astype(np.float32) / 32768
    try:
        import av
    except ImportError:
        raise InputError(
            "decoding G.722 needs ffmpeg or PyAV", hint="apt-get install ffmpeg, or pip install av"
        ) from None
    with av.open(str(file), format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames or [np.zeros(0, np.int16)]).astype(np.float32) / 32768


def main(packages: Path, wavs: Path) -> None:
    """Decode everything that is speech."""
    texts = transcripts(packages)
    (sounds,) = (packages / "usr" / "share" / "asterisk" / "sounds").iterdir()
    made = 0
    for file in sorted(sounds.rglob("*.g722")):
        name = file.relative_to(sounds).with_suffix("").as_posix()
        text = texts.get(name, "")
        if _NO_SPEECH.search(text) or name.startswith("silence/"):
            continue
        target = wavs / f"{name.replace('/', '-')}.wav"
        made += 1
        if not target.exists():
            with atomic_open(target.with_suffix(".txt")) as transcript:
                transcript.write(f"{text}\n")
            with atomic_path(target) as temporary:
                audio.write(temporary, decode(file), RATE)
    sys.stdout.write(f"{wavs}: {counted(made, 'recording')}\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or "--help" in sys.argv:
        sys.stdout.write((__doc__ or "").lstrip())
        sys.exit("--help" not in sys.argv)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except InputError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
