"""Words heard in speech that nobody said: shares, confidence, dictionaries."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vqspeech.errors import InputError, MissingExtraError
from vqspeech.evaluation.prior.words import PocketSphinxListener, Transcript, dictionary, listen


class Fake:
    """Writes what it was told to, in turn."""

    name = "fake"

    def __init__(self, *heard: Transcript, closed: bool = False) -> None:
        self.heard = iter(heard)
        self.closed = closed
        self.levels: list[float] = []

    def listen(self, waveform: NDArray[np.float32]) -> Transcript:
        self.levels.append(float(np.abs(waveform).max()))
        return next(self.heard)


def tone() -> NDArray[np.float32]:
    return np.sin(np.arange(16_000, dtype=np.float32) / 5)


def test_words_of_all_recordings_are_counted_together() -> None:
    metric = Fake(
        Transcript("The blick, isn't.", -3.0, 4, 2.0), Transcript("", 0.0, 0, 2.0), Transcript("cat", -1.0, 1, 1.0)
    )
    found = listen({"a": tone, "b": tone, "c": lambda: 0.01 * tone()}, metric, {"the", "isnt", "cat"})
    assert found.in_dictionary == pytest.approx(3 / 4)
    assert found.different == 1
    assert found.words_per_second == pytest.approx(4 / 5)
    assert found.confidence == pytest.approx(-4 / 5)
    assert found.of == {"a": "The blick, isn't.", "b": "", "c": "cat"}
    assert metric.levels == pytest.approx([metric.levels[0]] * 3)


def test_where_nothing_is_heard_there_is_no_share() -> None:
    found = listen({"a": tone}, Fake(Transcript("", 0.0, 0, 2.0)), {"cat"})
    assert (found.in_dictionary, found.words_per_second, found.confidence) == (None, 0, None)


def test_words_said_over_and_over_are_not_different() -> None:
    heard = Transcript("we were we were", -1.0, 4, 2.0), Transcript("we", -1.0, 1, 2.0)
    assert listen({"a": tone, "b": tone}, Fake(*heard), None).different == pytest.approx(3 / 5)


def test_a_recogniser_that_knows_no_other_words_has_no_share() -> None:
    found = listen({"a": tone}, Fake(Transcript("cat", -1.0, 1, 2.0), closed=True), {"cat"})
    assert found.in_dictionary is None
    assert listen({"a": tone}, Fake(Transcript("cat", -1.0, 1, 2.0)), None).in_dictionary is None


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    heard = Transcript("", 0.0, 0, 1.0)
    listen({"a": tone, "b": tone}, Fake(heard, heard), None, progress=lambda *of: told.append(of))
    assert told == [(1, 2), (2, 2)]


def test_a_dictionary_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("isn't IH Z AH N T\nread(2) R EH D\n\nTwenty-One T\n")
    assert dictionary(path) == {"isnt", "read", "twenty", "one"}


@pytest.mark.parametrize(("content", "said"), [(b"\xff\xfe\x00", "no UTF-8"), (b"\n", "no words")])
def test_a_bad_dictionary(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        dictionary(path)


def test_pocketsphinx_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    for wanted in (PocketSphinxListener, dictionary):
        with pytest.raises(MissingExtraError, match=r"pip install 'vqspeech\[align\]'"):
            wanted()


def test_pocketsphinx_hears_words_and_says_how_sure_it_is() -> None:
    pytest.importorskip("pocketsphinx")
    heard = PocketSphinxListener().listen(0.05 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32))
    assert heard.units == len(heard.text.split())
    assert -math.inf < heard.log_probability <= 0
    assert heard.seconds == 1


def test_pocketsphinxs_dictionary_has_english_words() -> None:
    pytest.importorskip("pocketsphinx")
    words = dictionary()
    assert {"house", "isnt", "read"} <= words
    assert "blorfe" not in words
