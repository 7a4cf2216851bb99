"""`vqspeech evaluate`: files in, a table, RESULTS.json and a page out; faults in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vqspeech
from vqspeech import alignment, codes
from vqspeech.alignment import Interval
from vqspeech.cli.evaluate import MEASURES
from vqspeech.cli.main import main

KEYS = {
    "accuracy", "accuracy_same_part", "accuracy_without_silence", "phone_purity", "cluster_purity", "pnmi", "nmi",
    "ami", "v_measure", "homogeneity", "completeness", "bitrate", "perplexity", "used_codes", "frames", "boundary",
}  # fmt: skip
PHONES = ["sil", "aa", "b", "iy", "s", "n"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Four speakers, each six utterances of 0.2 s phones, and codes at 25 Hz that are right three times of four."""
    generator = np.random.default_rng(0)
    phones: dict[str, list[Interval]] = {}
    units: dict[str, np.ndarray] = {}
    for speaker in ("p1", "p2", "p3", "p4"):
        for number in range(6):
            name = f"{speaker}_{number:03}"
            chosen = generator.integers(0, len(PHONES), 10)
            phones[name] = [Interval(0.2 * i, 0.2 * (i + 1), PHONES[phone]) for i, phone in enumerate(chosen)]
            true = np.repeat(chosen, 5)
            units[name] = np.where(generator.random(50) < 0.75, true, generator.integers(0, 8, 50)).astype(np.int32)
    alignment.write_ctm(tmp_path / "phones.ctm", phones)
    info = codes.CodeInfo(8, 0.04, 0.02, model="noisy")
    for part, members in (("test", "12"), ("train", "34")):
        kept = {name: row for name, row in units.items() if name[1] in members}
        codes.write(tmp_path / part / "codes.txt", codes.Codes(info, kept))
    return tmp_path


def with_audio(corpus: Path) -> Path:
    """A data directory of the test part, each phone a tone of its own."""
    soundfile = pytest.importorskip("soundfile")
    folder = corpus / "data"
    folder.mkdir()
    names = list(codes.read(corpus / "test" / "codes.txt").sequences)
    time = np.arange(3200) / 16_000
    for name in names:
        row = alignment.read_ctm(corpus / "phones.ctm")[name]
        tones = [0.1 * np.sin(2 * np.pi * 300 * (1 + PHONES.index(phone.label)) * time) for phone in row]
        soundfile.write(folder / f"{name}.wav", np.concatenate(tones), 16_000)
    speakers = sorted({name[:2] for name in names})
    (folder / "wav.scp").write_text("".join(f"{name} {folder / name}.wav\n" for name in sorted(names)))
    (folder / "utt2spk").write_text("".join(f"{name} {name[:2]}\n" for name in sorted(names)))
    lines = [" ".join([speaker, *(name for name in sorted(names) if name[:2] == speaker)]) for speaker in speakers]
    (folder / "spk2utt").write_text("\n".join(lines) + "\n")
    return folder


def evaluate(corpus: Path, *more: str, measure: str = "phonemes") -> int:
    paths = ["--codes", str(corpus / "test" / "codes.txt")]
    if measure != "speakers":
        paths += ["--phones", str(corpus / "phones.ctm")]
    return main(["evaluate", measure, *paths, *more])


def test_phonemes_with_a_training_part_and_audio(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("librosa")
    data = with_audio(corpus)
    assert evaluate(corpus, "--train-codes", str(corpus / "train" / "codes.txt")) == 0
    assert "learnt on the training part" in capsys.readouterr().out
    # The data directory holds the test part alone, so it serves as its own training part here, which is told.
    train = ["--train-codes", str(corpus / "test" / "codes.txt")]
    assert evaluate(corpus, *train, "--data", str(data), "--out", str(corpus / "report")) == 0
    assert "the accuracy is optimistic" in capsys.readouterr().out
    results = json.loads((corpus / "report" / "RESULTS.json").read_text())
    assert results.keys() >= KEYS | {"baselines", "toplines", "intervals"}
    assert results["baselines"].keys() == {"most_likely_phone", "random_codes", "codes_shifted_1s", "mfcc_kmeans"}
    assert results["toplines"].keys() == {"mfcc_linear"}
    for other in (*results["baselines"].values(), *results["toplines"].values()):
        assert other.keys() >= KEYS
    assert results["boundary"].keys() == {"precision", "recall", "f1", "r_value", "over_segmentation"}
    # Each phone is a tone of its own: who was taught them hears them all but at their edges.
    assert results["toplines"]["mfcc_linear"]["accuracy"] > 0.9
    page = (corpus / "report" / "report.html").read_text()
    assert page.count("<svg") == 7 + 4
    assert len(results["duration_penalty"]) == 7
    assert page.count("<audio") == 4
    assert "noisy" in page
    # Nothing is fetched: the page must open from disk.
    assert 'src="http' not in page
    assert 'href="http' not in page.replace('xlink:href="http', "")


def test_phonemes_without_a_training_part_says_so(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(corpus, "--out", str(corpus / "report")) == 0
    out = capsys.readouterr().out
    assert "learnt on all other utterances" in out
    assert "no training part was given" in out
    assert "--data DIR adds the MFCC baseline" in out
    results = json.loads((corpus / "report" / "RESULTS.json").read_text())
    assert results["accuracy"] <= results["accuracy_same_part"]
    assert results["about"]["phone_set"] == "paper-41"
    assert results["intervals"]["resampled"] == "utterances"


@pytest.mark.parametrize(
    ("model", "title"),
    [("noisy", "Phonemes in noisy"), ("best", "Phonemes in test/codes.txt"), (None, "Phonemes in test/codes.txt")],
)
def test_a_report_is_titled_by_its_system(corpus: Path, model: str | None, title: str) -> None:
    path = corpus / "test" / "codes.txt"
    read = codes.read(path)
    codes.write(path, codes.Codes(replace(read.info, model=model), read.sequences))
    assert evaluate(corpus, "--out", str(corpus / "report")) == 0
    assert f"<h1>{title}</h1>" in (corpus / "report" / "report.html").read_text()
    assert json.loads((corpus / "report" / "RESULTS.json").read_text())["about"]["title"] == title


def test_units_of_another_system(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = codes.read(corpus / "test" / "codes.txt")
    names = list(read.sequences)
    (corpus / "dev.km").write_text("".join(" ".join(map(str, read.sequences[name])) + "\n" for name in names))
    (corpus / "dev.tsv").write_text("/root\n" + "".join(f"{name}.flac\t32000\n" for name in names))
    arguments = ["evaluate", "phonemes", "--codes", str(corpus / "dev.km"), "--phones", str(corpus / "phones.ctm")]
    assert main([*arguments, "--frame-period", "0.04"]) == 0
    foreign = capsys.readouterr().out
    assert evaluate(corpus) == 0
    assert foreign.splitlines()[0] == capsys.readouterr().out.splitlines()[0]
    assert main([*arguments, "--frame-period", "0.02"]) == 0
    assert "is the frame period of 0.02 s right?" in capsys.readouterr().out


def test_phones_of_another_language_are_taken_as_they_are(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (corpus / "phones.ctm").read_text().replace(" aa\n", " ɲ\n")
    (corpus / "phones.ctm").write_text(text, encoding="utf-8")
    assert evaluate(corpus) == 0
    assert "6 phones (as they are)" in capsys.readouterr().out
    assert evaluate(corpus, "--phone-set", "paper-41") == 2
    assert "no phone for label 'ɲ'" in capsys.readouterr().err


def test_segmentation(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(corpus, "--penalty", "2", "--out", str(corpus / "report"), measure="segmentation") == 0
    assert "runs of one code" in capsys.readouterr().out
    found = json.loads((corpus / "report" / "segmentation.json").read_text())
    joined, runs = found["duration penalty 2"], found["runs of one code"]
    assert found["baselines"].keys() == {"even_boundaries", "random_codes", "codes_shifted_1s"}
    for baseline in found["baselines"].values():
        assert baseline["r_value"] < joined["r_value"]
        low, high = baseline["intervals"]["f1"]
        assert low <= baseline["f1"] <= high
    # The noise makes too many runs; the penalty takes them out.
    assert runs["over_segmentation"] > 0.5
    assert joined["r_value"] > runs["r_value"]
    assert joined["precision"] > runs["precision"]


def test_abx(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(corpus, "--task", "any", "--out", str(corpus / "report"), measure="abx") == 0
    found = json.loads((corpus / "report" / "abx.json").read_text())
    assert found.keys() == {"any_within", "any_across", "representations", "compared"}
    assert found["representations"].keys() == {"one_hot"}
    assert found["any_within"]["error"] < 0.1
    assert found["compared"].keys() == {"random_codes", "codes_shifted_1s"}
    for baseline in found["compared"].values():
        assert baseline["any_within"]["error"] == pytest.approx(0.5, abs=0.1)
    folder = corpus / "features"
    folder.mkdir()
    for name, units in codes.read(corpus / "test" / "codes.txt").sequences.items():
        np.save(folder / f"{name}.npy", np.eye(8, dtype=np.float32)[units])
    arguments = ["evaluate", "abx", "--features", str(folder), "--frame-period", "0.04", "--task", "any"]
    assert main([*arguments, "--phones", str(corpus / "phones.ctm"), "--out", str(corpus / "report")]) == 0
    again = json.loads((corpus / "report" / "abx.json").read_text())
    assert again["compared"].keys() == {"features_shifted_1s"}
    assert again["representations"].keys() == {"features_angular", "features_cosine"}
    assert again["any_across"]["error"] == pytest.approx(found["any_across"]["error"], abs=1e-3)


def test_abx_of_vectors_and_of_one_hot_codes(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(corpus / "codebook.npy", np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32))
    vectors = ["--codebook", str(corpus / "codebook.npy"), "--out", str(corpus / "report")]
    assert evaluate(corpus, "--task", "any", *vectors, measure="abx") == 0
    out = capsys.readouterr().out
    for row in ("these codes, vectors (angular)", "these codes, vectors (1 - cosine)", "these codes, one-hot"):
        assert row in out
    found = json.loads((corpus / "report" / "abx.json").read_text())
    shown = found["representations"]
    assert shown.keys() == {"vectors_angular", "vectors_cosine", "one_hot"}
    assert found["any_within"] == shown["vectors_angular"]["any_within"]
    capsys.readouterr()
    # A model whose codes these are not.
    (corpus / "test" / "codes.json").write_text(
        '{"codebook_size": 8, "frame_period": 0.04, "offset": 0.02, "checksum": "of another"}'
    )
    packaged = str(Path(vqspeech.__file__).parent / "pretrained")
    assert evaluate(corpus, "--codebook", packaged, measure="abx") == 2
    assert "the codes were made by another model" in capsys.readouterr().err


def test_features_of_two_kinds_are_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = corpus / "features"
    folder.mkdir()
    for number, name in enumerate(codes.read(corpus / "test" / "codes.txt").sequences):
        np.save(folder / f"{name}.npy", np.zeros((20, 4 + number % 2), np.float32))
    words = ["--features", str(folder), "--frame-period", "0.04", "--phones", str(corpus / "phones.ctm")]
    assert main(["evaluate", "abx", *words]) == 2
    error = capsys.readouterr().err
    assert "5 dimensions, but" in error
    assert error.count("\n") == 1


def test_speakers(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(corpus, "--out", str(corpus / "report"), measure="speakers") == 0
    out = capsys.readouterr().out
    assert "12 utterances" in out
    assert "random codes" in out
    found = json.loads((corpus / "report" / "speakers.json").read_text())
    assert found["speakers"] == 2
    assert found["compared"].keys() == {"random_codes"}
    low, high = found["interval"]
    assert low <= found["accuracy"] <= high


def test_phones_say_what_words_alone_tell_of_the_speaker(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Each speaker has a phone of her own; the codes say nothing.
    phones = {
        name: [Interval(0.0, 2.0, "aa" if name.startswith("p1") else "s")]
        for name in codes.read(corpus / "test" / "codes.txt").sequences
    }
    del phones["p1_000"]
    alignment.write_ctm(corpus / "own.ctm", phones)
    words = ["--phones", str(corpus / "own.ctm"), "--out", str(corpus / "report")]
    assert evaluate(corpus, *words, measure="speakers") == 0
    shown = capsys.readouterr().out
    assert "the phones themselves" in shown
    assert "note: 1 utterance with codes but without phones left out, e.g. p1_000" in shown
    found = json.loads((corpus / "report" / "speakers.json").read_text())
    assert found["compared"]["phones"]["accuracy"] == 1
    assert found["accuracy"] < 1


def test_audio_adds_baselines_to_every_measure(corpus: Path) -> None:
    pytest.importorskip("librosa")
    data, report = with_audio(corpus), corpus / "report"
    sound = ["--data", str(data), "--out", str(report)]
    assert evaluate(corpus, *sound, measure="segmentation") == 0
    assert evaluate(corpus, *sound, "--task", "any", "--speaker", "within", measure="abx") == 0
    assert evaluate(corpus, *sound, measure="speakers") == 0
    read = {name: json.loads((report / f"{name}.json").read_text()) for name in ("segmentation", "abx", "speakers")}
    # Each phone is a tone of its own, which MFCCs resolve.
    # One boundary in six is between equal phones, whose tones show none.
    assert read["segmentation"]["baselines"]["mfcc_kmeans"]["recall"] > 0.75
    assert read["abx"]["compared"]["mfcc"]["any_within"]["error"] < 0.1
    assert read["abx"]["compared"]["log_mel"]["any_within"]["error"] < 0.1
    assert read["abx"]["compared"]["mfcc_kmeans"]["any_within"]["error"] < 0.1
    assert read["speakers"]["compared"].keys() == {"random_codes", "mfcc_kmeans", "mfcc_statistics"}


@pytest.mark.parametrize(
    ("measure", "more", "problem"),
    [
        ("phonemes", ["--phones", "nowhere.ctm"], "nowhere.ctm: no such file"),
        ("phonemes", ["--train-phones", "x.ctm"], "--train-phones without --train-codes"),
        ("phonemes", ["--train-data", "x"], "--train-data needs"),
        ("phonemes", ["--phone-map", "nowhere.txt"], "nowhere.txt: No such file"),
        ("abx", ["--features", "x"], "either --codes or --features"),
        ("abx", ["--data", "nowhere"], "nowhere"),
        ("segmentation", ["--codebook", "nowhere.npy"], "nowhere.npy: No such file"),
        ("speakers", ["--utt2spk", "nowhere"], "nowhere: No such file"),
    ],
)
def test_bad_input_is_one_line(
    corpus: Path, capsys: pytest.CaptureFixture[str], measure: str, more: list[str], problem: str
) -> None:
    assert evaluate(corpus, *more, measure=measure) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("name", "option"), [("utt2spk", "--utt2spk"), ("map", "--phone-map"), ("p.ctm", "--phones")])
def test_what_is_no_text_is_one_line(corpus: Path, capsys: pytest.CaptureFixture[str], name: str, option: str) -> None:
    (corpus / name).write_bytes(b"\x80\x81 \xff\n")
    assert evaluate(corpus, option, str(corpus / name)) == 2
    error = capsys.readouterr().err
    assert str(corpus / name) in error
    assert "UTF-8" in error
    assert error.count("\n") == 1


def test_overlapping_phones_are_refused_with_their_place(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (corpus / "phones.ctm").open("a") as file:
        file.write("p1_000 1 0.05 0.3 aa\n")
    assert evaluate(corpus) == 2
    error = capsys.readouterr().err
    assert "phones.ctm: p1_000: overlap from 0.0500" in error
    assert "a frame can have one phone only" in error


def test_codes_and_phones_of_different_utterances(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alignment.write_ctm(corpus / "phones.ctm", {"other": [Interval(0, 1, "aa")]})
    assert evaluate(corpus) == 2
    assert "no utterance has both codes and phones" in capsys.readouterr().err


def test_each_measure_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for measure in MEASURES:
        with pytest.raises(SystemExit):
            main(["evaluate", measure, "--help"])
        assert f"\n  vqspeech evaluate {measure} --" in capsys.readouterr().out


def test_where_nothing_can_be_written_is_known_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    words = ["evaluate", "phonemes", "--codes", "nothing", "--phones", "nothing", "--out", str(tmp_path / "file")]
    assert main(words) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    assert main([*words[:-2]]) == 2
    assert "nothing: no such file or folder" in capsys.readouterr().err
