"""Whatever lhotse reads: its manifests on disk, or any corpus it has a recipe for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vqspeech.corpora.layout import choose, log, report_left_out, require_folder, require_some
from vqspeech.corpora.parts import Parts
from vqspeech.datadir import DataDir, Utterance
from vqspeech.datadir.tables import clean
from vqspeech.errors import InputError, MissingExtraError
from vqspeech.pipes import Pipe

LAYOUT = "recordings.jsonl(.gz) and supervisions.jsonl(.gz), or NAME_recordings_PART and NAME_supervisions_PART"


def prepare(
    source: Path,
    *,
    recipe: str | None = None,
    speakers: Sequence[str] | None = None,
    parts: Parts | None = None,
) -> dict[str, DataDir]:
    """Supervisions as utterances.

    Args:
        source: the folder of manifests or, with a recipe, of the corpus.
        recipe: what lhotse calls the corpus (``yesno``, ``libritts`` ...), read with its default options.
        speakers: the speakers to take, as lhotse names them; None for all.
        parts: the division of everything into train, dev and test; None for the default one. The official one keeps
            the parts that the manifests or the recipe have, under their own names.

    Raises:
        InputError: no manifests, an unknown recipe, or one that cannot read the source.
        MissingExtraError: lhotse is not installed.
    """
    source = require_folder(source, LAYOUT)
    try:
        import lhotse
    except ImportError:
        raise MissingExtraError("lhotse", extra="train", purpose="reading a corpus by lhotse") from None
    del lhotse
    pairs = dict(_manifests(source)) if recipe is None else _run_recipe(recipe, source)
    if not pairs:
        raise InputError("no pair of manifests found", where=source, hint=f"expected {LAYOUT}")
    origin: dict[str, str] = {}
    utterances: list[Utterance] = []
    for part, (recordings, supervisions) in pairs.items():
        for utterance in _utterances(recordings, supervisions):
            if origin.setdefault(utterance.id, part) != part:
                log.warning("left out: %s of %s, it is in %s too", utterance.id, part, origin[utterance.id])
            else:
                utterances.append(utterance)
    require_some(utterances, source, LAYOUT)
    wanted = choose((u.speaker for u in utterances), [_plain(s) for s in speakers] if speakers else None, source)
    chosen = [utterance for utterance in utterances if utterance.speaker in wanted]
    return (parts or Parts()).divide(chosen, official=lambda utterance: origin[utterance.id])


def _manifests(source: Path) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Part name -> recordings and supervisions, for every pair of files in the folder."""
    from lhotse import RecordingSet, SupervisionSet

    for recordings in sorted(source.glob("*recordings*.jsonl*")):
        supervisions = recordings.with_name(recordings.name.replace("recordings", "supervisions"))
        if not supervisions.is_file():
            continue
        part = re.sub(r"\.jsonl(\.gz)?$", "", recordings.name).rpartition("recordings")[2].strip("_-.") or "all"
        try:
            yield part, (RecordingSet.from_file(recordings), SupervisionSet.from_file(supervisions))
        except Exception as error:  # lhotse lets through whatever its parsers raise
            hint = "make the manifests anew with lhotse"
            raise InputError(f"not a lhotse manifest: {error}", where=recordings, hint=hint) from error


def _run_recipe(name: str, source: Path) -> dict[str, tuple[Any, Any]]:
    from lhotse import recipes

    known = sorted(f.removeprefix("prepare_") for f in dir(recipes) if f.startswith("prepare_"))
    if name not in known:
        raise InputError(f"lhotse has no recipe {name!r}", hint=f"one of {', '.join(known)}")
    function: Callable[[Path], Mapping[str, Any]] = getattr(recipes, f"prepare_{name}")
    try:
        result = function(source)
    except Exception as error:  # each recipe fails in its own way on a layout it does not know
        hint = "lay the corpus out as lhotse expects, or prepare manifests with lhotse and give their folder"
        problem = f"lhotse's recipe {name} failed: {str(error) or type(error).__name__}"
        raise InputError(problem, where=source, hint=hint) from error
    if "recordings" in result:
        result = {"all": result}
    return {
        part.replace("/", "-"): (pair["recordings"], pair["supervisions"])
        for part, pair in result.items()
        if "supervisions" in pair
    }


def _utterances(recordings: Any, supervisions: Any) -> Iterator[Utterance]:
    known = {recording.id: recording for recording in recordings}
    orphans: list[str] = []
    for supervision in supervisions:
        recording = known.get(supervision.recording_id)
        audio = None if recording is None else _audio(recording, supervision.channel)
        if recording is None or audio is None:
            orphans.append(supervision.id)
            continue
        speaker = _plain(supervision.speaker or supervision.recording_id)
        name = _plain(supervision.id)
        whole = supervision.start <= 0.01 and abs(supervision.duration - recording.duration) <= 0.01
        recording_id = None if whole else _plain(recording.id)
        if recording_id and audio.endswith("|"):
            recording_id = f"{recording_id}-{_channel(supervision.channel)}"
        yield Utterance(
            id=name if name.startswith(speaker) else f"{speaker}-{name}",
            speaker=speaker,
            recording=audio,
            start=None if whole else supervision.start,
            end=None if whole else min(supervision.start + supervision.duration, recording.duration),
            text=clean(supervision.text or "") or None,
            gender=(supervision.gender or "").strip().lower()[:1] or None,
            duration=supervision.duration,
            recording_id=recording_id,
        )
    report_left_out("no recording of one audio file in the manifest", orphans)


def _audio(recording: Any, channel: Any) -> str | None:
    """A path or pipe to one channel of a recording; None when it is not one file or command."""
    if len(recording.sources) != 1 or recording.sources[0].type not in ("file", "command"):
        return None
    source = recording.sources[0]
    if source.type == "command":
        return Pipe(clean(source.source).rstrip("| ") + " |")
    path = str(Path(source.source).absolute())
    if recording.num_channels == 1:
        return path
    return Pipe(f"sox {shlex.quote(path)} -t wav - remix {_channel(channel) + 1} |")


def _channel(channel: Any) -> int:
    return int(channel[0] if isinstance(channel, list) else channel)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)
