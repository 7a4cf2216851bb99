"""ABX against a slow plain version written from the definition: nested loops, a table of path costs, no batching."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.alignment import Interval
from vqspeech.errors import InputError
from vqspeech.evaluation import abx
from vqspeech.evaluation.abx import dtw


def angle(first: np.ndarray, second: np.ndarray) -> float:
    cosine = float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
    return math.acos(max(-1.0, min(1.0, cosine))) / math.pi


def plain_warp(local: list[list[float]]) -> float:
    """Dynamic time warping one cell at a time, the path traced back afterwards."""
    height, width = len(local), len(local[0])
    cost = {(-1, -1): 0.0}

    def at(row: int, column: int) -> float:
        return cost.get((row, column), math.inf)

    for row, column in itertools.product(range(height), range(width)):
        cost[row, column] = local[row][column] + min(at(row - 1, column - 1), at(row, column - 1), at(row - 1, column))
    row, column, steps = height - 1, width - 1, 1
    while (row, column) != (0, 0):
        before = [(row - 1, column - 1), (row, column - 1), (row - 1, column)]
        row, column = min(before, key=lambda place: at(*place) if place != (-1, -1) else math.inf)
        steps += 1
    return at(height - 1, width - 1) / steps


def one_minus_cosine(first: np.ndarray, second: np.ndarray) -> float:
    # In whole parts of a power of two, so that sums in any order are equal and the same paths tie.
    return round(2**22 * (1 - float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second))))) / 2**22


def plain_abx(tokens: abx.Tokens, speaker: str, frame_distance: Callable[..., float] = angle) -> float:
    """Every triple in turn, then means over contexts and X's speakers, over speakers of A and B, over pairs."""
    everything = range(len(tokens))

    def distance(one: int, other: int) -> float:
        return plain_warp([[frame_distance(a, b) for b in tokens.sequences[other]] for a in tokens.sequences[one]])

    cells: dict[tuple, list[float]] = defaultdict(list)
    for a, b, x in itertools.product(everything, repeat=3):
        if a == x or tokens.phones[a] != tokens.phones[x] or tokens.phones[b] == tokens.phones[a]:
            continue
        if not tokens.contexts[a] == tokens.contexts[b] == tokens.contexts[x]:
            continue
        if tokens.speakers[a] != tokens.speakers[b] or (tokens.speakers[x] == tokens.speakers[a]) != (
            speaker == "within"
        ):
            continue
        to_a, to_b = distance(a, x), distance(b, x)
        wrong = 0.5 if math.isclose(to_a, to_b, abs_tol=1e-6) else float(to_a > to_b)
        pair = (tokens.phones[a], tokens.phones[b])
        cells[pair, (tokens.speakers[a], tokens.speakers[x]), tokens.contexts[a]].append(wrong)
    by_speaker: dict[tuple, list[float]] = defaultdict(list)
    for (pair, (ours, _), _), wrong in cells.items():
        by_speaker[pair, ours].append(sum(wrong) / len(wrong))
    by_pair: dict[tuple, list[float]] = defaultdict(list)
    for (pair, _), means in by_speaker.items():
        by_pair[pair].append(sum(means) / len(means))
    return sum(sum(means) / len(means) for means in by_pair.values()) / len(by_pair)


def made_up_tokens(seed: int, number: int = 22) -> abx.Tokens:
    generator = np.random.default_rng(seed)
    phones = generator.choice(["a", "b", "c"], number).tolist()
    centres = {"a": [1, 0, 0], "b": [0.6, 1, 0], "c": [0.5, 0.5, 1]}
    return abx.Tokens(
        sequences=[
            np.array(centres[phone]) + generator.normal(size=(generator.integers(1, 5), 3)) * 0.5 for phone in phones
        ],
        phones=phones,
        contexts=[(str(index), "") for index in generator.integers(0, 2, number)],
        speakers=generator.choice(["s", "t", "u"], number).tolist(),
    )


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("speaker", ["within", "across"])
def test_error_is_the_slow_plain_versions(seed: int, speaker: abx.Speaker) -> None:
    tokens = made_up_tokens(seed)
    score = abx.evaluate(tokens, speaker=speaker, engine="own")
    assert score.error == pytest.approx(plain_abx(tokens, speaker), abs=1e-9)
    assert 0 < score.error < 0.5
    assert score.tokens == 22


@pytest.mark.parametrize("speaker", ["within", "across"])
def test_the_cosine_distance_is_the_slow_plain_versions(speaker: abx.Speaker) -> None:
    tokens = made_up_tokens(4)
    score = abx.evaluate(tokens, speaker=speaker, distance="cosine")
    assert score.error == pytest.approx(plain_abx(tokens, speaker, one_minus_cosine), abs=1e-9)
    assert score.engine == "own"
    generator = np.random.default_rng(4)
    codebook = generator.normal(size=(6, 4)).astype(np.float32)
    codes = [generator.integers(0, 6, len(sequence)) for sequence in tokens.sequences]
    by_code = abx.Tokens(codes, tokens.phones, tokens.contexts, tokens.speakers, codebook_size=6)
    by_vector = abx.Tokens([codebook[row] for row in codes], tokens.phones, tokens.contexts, tokens.speakers)
    score = abx.evaluate(by_code, speaker=speaker, codebook=codebook, distance="cosine")
    assert score.error == pytest.approx(plain_abx(by_vector, speaker, one_minus_cosine), abs=1e-9)


def test_vectors_and_one_hot_codes_are_two_measures() -> None:
    """A phone's codes differ from speaker to speaker, but lie near each other: vectors tell phones apart, codes not."""
    phones, speakers = ["a", "b"] * 6, ["s"] * 6 + ["t"] * 6
    codes = [np.array([2 * (name == "t") + (phone == "b")]) for phone, name in zip(phones, speakers, strict=True)]
    codebook = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]], np.float32)
    tokens = abx.Tokens(codes, phones, [("", "")] * 12, speakers, codebook_size=4)
    assert abx.evaluate(tokens, speaker="across").error == 0.5
    assert abx.evaluate(tokens, speaker="across", codebook=codebook).error == 0
    assert abx.evaluate(tokens, speaker="across", codebook=codebook, distance="cosine").error == 0


def test_codes_are_their_codebook_vectors() -> None:
    generator = np.random.default_rng(3)
    codebook = generator.normal(size=(6, 4)).astype(np.float32)
    tokens = made_up_tokens(3)
    codes = [generator.integers(0, 6, len(sequence)) for sequence in tokens.sequences]
    by_code = abx.Tokens(codes, tokens.phones, tokens.contexts, tokens.speakers, codebook_size=6)
    by_vector = abx.Tokens([codebook[row] for row in codes], tokens.phones, tokens.contexts, tokens.speakers)
    score = abx.evaluate(by_code, speaker="within", codebook=codebook, engine="own")
    assert score.error == pytest.approx(plain_abx(by_vector, "within"), abs=1e-9)
    one_hot = abx.Tokens([np.eye(6)[row] for row in codes], tokens.phones, tokens.contexts, tokens.speakers)
    score = abx.evaluate(by_code, speaker="across", engine="own")
    assert score.error == pytest.approx(plain_abx(one_hot, "across"), abs=1e-9)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4),
    st.integers(0, 1000),
    st.booleans(),
)
def test_warping_is_the_slow_plain_versions(sizes: list[tuple[int, int]], seed: int, whole: bool) -> None:
    """Pairs of any lengths, warped as one array."""
    generator = np.random.default_rng(seed)
    shape = (len(sizes), max(height for height, _ in sizes), max(width for _, width in sizes))
    # Whole numbers bring ties, on which the path, and so its length, depends.
    local = (generator.integers(0, 2, shape) if whole else generator.random(shape)).astype(np.float32)
    plain = [plain_warp(one[:height, :width].tolist()) for one, (height, width) in zip(local, sizes, strict=True)]
    heights, widths = zip(*sizes, strict=True)
    assert dtw.warp(local, heights, widths) == pytest.approx(plain, abs=1e-6)


def test_warping_by_hand() -> None:
    # Straight down the diagonal costs nothing; a token against one of its frames has a path as long as itself.
    assert dtw.warp(np.array([[[0, 1], [1, 0]]], np.float32), [2], [2]) == pytest.approx([0])
    assert dtw.warp(np.array([[[0.2], [0.4]]], np.float32), [2], [1]) == pytest.approx([0.3])


def test_perfect_units_err_never_and_equal_ones_half_the_time() -> None:
    phones = ["a", "b"] * 6
    codes = [np.array([0, 0]) if phone == "a" else np.array([1]) for phone in phones]
    speakers = ["s"] * 6 + ["t"] * 6
    tokens = abx.Tokens(codes, phones, [("", "")] * 12, speakers, codebook_size=2)
    for speaker in ("within", "across"):
        assert abx.evaluate(tokens, speaker=speaker).error == 0
        same = abx.Tokens([np.array([0])] * 12, phones, [("", "")] * 12, speakers, codebook_size=2)
        assert abx.evaluate(same, speaker=speaker).error == 0.5


def test_most_tokens_are_drawn() -> None:
    tokens = made_up_tokens(5, 120)
    everything = abx.evaluate(tokens, speaker="within", engine="own", max_size_group=1000)
    some = abx.evaluate(tokens, speaker="within", engine="own", max_size_group=4)
    assert some.triples < everything.triples
    assert some.error == pytest.approx(everything.error, abs=0.1)
    assert abx.evaluate(tokens, speaker="within", engine="own", max_size_group=4) == some


def test_speakers_are_drawn_for_the_interval() -> None:
    """Five speakers whose tokens are told apart, or not, as it falls; an interval around the figure."""
    generator = np.random.default_rng(0)
    phones = ["a", "b"] * 40
    names = [f"s{index // 16}" for index in range(80)]
    # The first two speakers say both phones alike.
    vectors = [
        np.array([[1.0, 0.0 if phone == "a" or name < "s2" else 1.0]]) + generator.normal(size=(1, 2)) * 0.05
        for phone, name in zip(phones, names, strict=True)
    ]
    tokens = abx.Tokens(vectors, phones, [("", "")] * 80, names)
    score = abx.evaluate(tokens, speaker="within", engine="own")
    assert score.speakers == 5
    assert score.error == pytest.approx(0.2, abs=0.05)
    assert score.interval is not None
    low, high = score.interval
    # Two of five speakers at a half: their share among five drawn is from none to four in 95 of 100 draws.
    assert low == pytest.approx(0, abs=0.05)
    assert high == pytest.approx(0.4, abs=0.07)
    few = abx.Tokens(*(list(field)[:64] for field in (vectors, phones, tokens.contexts, names)))
    assert abx.evaluate(few, speaker="within", engine="own").interval is None


def test_equal_speakers_have_no_spread() -> None:
    tokens = abx.Tokens([np.array([0])] * 12, ["a", "b"] * 6, [("", "")] * 12, list("ssttuuvvwwxx"), codebook_size=1)
    score = abx.evaluate(tokens, speaker="across", engine="own")
    assert (score.error, score.interval) == (0.5, (0.5, 0.5))


def test_fastabx_is_asked_for_by_name() -> None:
    if abx.engine_at_hand() == "fastabx":
        pytest.skip("fastabx is installed")
    with pytest.raises(InputError, match="fastabx cannot be used") as raised:
        abx.evaluate(made_up_tokens(0), speaker="within", engine="fastabx")
    assert "vqspeech[abx]" in str(raised.value)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("speaker", ["within", "across"])
def test_fastabx_finds_the_same(seed: int, speaker: abx.Speaker) -> None:
    """Every triple compared, so that nothing depends on what was drawn."""
    pytest.importorskip("fastabx")
    everything = {"speaker": speaker, "max_size_group": 1000, "max_x_across": 1000}
    tokens = made_up_tokens(seed, 150)
    own = abx.evaluate(tokens, engine="own", **everything)
    theirs = abx.evaluate(tokens, engine="fastabx", **everything)
    assert theirs.engine == "fastabx"
    assert theirs.error == pytest.approx(own.error, abs=0.005)
    assert (theirs.pairs, theirs.cells, theirs.triples) == (own.pairs, own.cells, own.triples)


@pytest.mark.parametrize("vectors", [False, True])
def test_fastabx_finds_the_same_in_codes(vectors: bool) -> None:
    pytest.importorskip("fastabx")
    generator = np.random.default_rng(0)
    made = made_up_tokens(0, 150)
    codes = [
        np.array(["abc".index(phone) * 2] * len(row)) for phone, row in zip(made.phones, made.sequences, strict=True)
    ]
    codes = [np.where(generator.random(len(row)) < 0.5, row, generator.integers(0, 6, len(row))) for row in codes]
    tokens = abx.Tokens(codes, made.phones, made.contexts, made.speakers, codebook_size=6)
    codebook = generator.normal(size=(6, 4)).astype(np.float32) if vectors else None
    everything = {"speaker": "within", "max_size_group": 1000, "codebook": codebook}
    own = abx.evaluate(tokens, engine="own", **everything)
    theirs = abx.evaluate(tokens, engine="fastabx", **everything)
    assert theirs.error == pytest.approx(own.error, abs=0.005)


def test_tokens_in_many_small_batches_are_as_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = made_up_tokens(7, 60)
    at_once = abx.evaluate(tokens, speaker="across", engine="own")
    for name, value in (("_WAITING", 10), ("_BATCH", 3), ("_MOST_DISTANCES", 20)):
        monkeypatch.setattr(dtw, name, value)
    assert abx.evaluate(tokens, speaker="across", engine="own") == at_once


def test_speakers_of_x_are_drawn_among_those_who_say_the_phone() -> None:
    """Of ten others, two say the phone of A: both are heard, however few may be drawn."""
    names = [f"s{index}" for index in range(11)]
    phones = [
        (name, phone) for name in names for phone in ("a", "b", "c") if phone != "a" or name in ("s0", "s1", "s2")
    ]
    tokens = abx.Tokens(
        [np.ones((1, 2))] * len(phones),
        [phone for _, phone in phones],
        [("", "")] * len(phones),
        [n for n, _ in phones],
    )
    score = abx.evaluate(tokens, speaker="across", max_x_across=2, engine="own")
    # s0 to s2 have three phones, of each two other speakers' X, against two others; the eight have two phones.
    assert score.cells == 3 * 3 * 2 * 2 + 8 * 2 * 2 * 1


def test_nothing_to_compare_is_said() -> None:
    lonely = abx.Tokens([np.ones((2, 3))] * 3, ["a", "a", "b"], [("", "")] * 3, ["s"] * 3)
    with pytest.raises(InputError, match="across speakers"):
        abx.evaluate(lonely, speaker="across")


def test_tokens_are_the_frames_whose_centres_lie_in_them() -> None:
    phones = [
        Interval(0.0, 0.1, "sil"),
        Interval(0.1, 0.2, "b"),
        Interval(0.2, 0.3, "eh"),
        Interval(0.3, 0.4, "g"),
        Interval(0.4, 0.5, "sil"),
    ]
    codes = np.arange(25)
    options = {"speakers": {"u": "s"}, "frame_period": 0.02, "offset": 0.01}
    single = abx.cut_tokens({"u": codes}, {"u": phones}, task="any", **options)
    assert [row.tolist() for row in single.sequences] == [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
    assert single.contexts == [("", "")] * 3
    triphones = abx.cut_tokens({"u": codes}, {"u": phones}, task="triphone", **options)
    # Next to silence there is no triphone.
    assert (triphones.phones, triphones.contexts, triphones.speakers) == (["eh"], [("b", "g")], ["s"])
    assert triphones.sequences[0].tolist() == list(range(5, 20))


def test_tokens_without_a_frame_are_left_out() -> None:
    phones = [Interval(0.0, 0.011, "b"), Interval(0.011, 0.1, "eh"), Interval(9.0, 9.1, "g")]
    cut = abx.cut_tokens(
        {"u": np.arange(3)}, {"u": phones}, speakers={"u": "s"}, frame_period=0.04, offset=0.02, task="any"
    )
    assert (cut.phones, cut.sequences[0].tolist()) == (["eh"], [0, 1])


@pytest.mark.parametrize(("pause", "tokens"), [(0.01, 1), (0.8, 0)])
def test_triphones_do_not_span_a_pause_that_the_alignment_leaves_out(pause: float, tokens: int) -> None:
    """0.01 s is the rounding of a CTM file."""
    g = 0.2 + pause
    row = [Interval(0, 0.1, "b"), Interval(0.1, 0.2, "eh"), Interval(g, g + 0.1, "g")]
    cut = abx.cut_tokens({"u": np.arange(110)}, {"u": row}, speakers={"u": "s"}, frame_period=0.02, offset=0.01)
    assert len(cut) == tokens
