"""``egs/video``: films, symbols and the network over them, each against a slow or an exact reference."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from film_codes import continue_films, frame_bits, to_symbols, unknown_actions
from film_network import FilmConfig
from masked_prior import _prior
from moving_digits import (
    ACTIONS,
    DIGIT,
    DIRECTIONS,
    FRAMES,
    GIVEN,
    SIDE,
    SPEED,
    UNKNOWN,
    find_digits,
    glyph_parts,
    make_films,
    read_films,
    trajectory,
    write_films,
)

from vqspeech.model.prior import Prior

RECIPE = Path(__file__).parent.parent.parent / "egs" / "video"
GRID, CODES = (2, 3), 5


def make_prior() -> Prior:
    torch.manual_seed(0)
    config = FilmConfig(layers=2, kernel=3, width=8, gate=8, skip=8, dropout=0.0, frames=2, blocks=1)
    prior = _prior(config, GRID, codes=CODES + len(ACTIONS), bigrams=False, classes=()).eval()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return prior


def test_digits_bounce_and_the_orange_one_obeys() -> None:
    films = make_films(20, glyph_parts()["test"], seed=3)
    most = SIDE - DIGIT
    assert films.frames.shape == (20, FRAMES, SIDE, SIDE, 3)
    assert films.places.min() >= 0
    assert films.places.max() <= most
    for film in range(20):
        place, velocity = films.places[film, 0], films.velocities[film, 0]
        for frame in range(1, FRAMES):
            action = ACTIONS[films.actions[film, frame]]
            velocity = velocity.copy()
            if action in DIRECTIONS:
                velocity[0] = [SPEED * step for step in DIRECTIONS[action]]
            place = place.copy()
            for which, axis in np.ndindex(2, 2):
                place[which, axis] += velocity[which, axis]
                if not 0 <= place[which, axis] <= most:
                    place[which, axis] -= 2 * (place[which, axis] - np.clip(place[which, axis], 0, most))
                    velocity[which, axis] *= -1
            assert np.array_equal(films.places[film, frame], place)
    on, _ = trajectory(films.places[:, 5], films.velocities[:, 5], films.actions[:, 5:])
    assert np.array_equal(on, films.places[:, 5:])


def test_digits_are_found_where_they_are() -> None:
    films = make_films(10, glyph_parts()["dev"], seed=1)
    assert np.array_equal(find_digits(films.frames, films.digits), films.places)


def test_a_seed_makes_the_same_films_and_they_are_read_as_written(tmp_path: Path) -> None:
    glyphs = glyph_parts()["train"]
    films = make_films(3, glyphs, seed=7)
    write_films(make_films(3, glyphs, seed=7), tmp_path / "films.npz")
    again = read_films(tmp_path / "films.npz")
    assert np.array_equal(films.frames, again.frames)
    assert np.array_equal(films.actions, again.actions)
    assert not np.array_equal(films.frames, make_films(3, glyphs, seed=8).frames)


def test_no_digit_is_in_two_parts() -> None:
    parts = {name: {glyph.tobytes() for glyph in glyphs} for name, glyphs in glyph_parts().items()}
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["dev"]


def test_symbols_are_each_frames_action_and_codes() -> None:
    codes, actions = np.arange(12).reshape(2, 2, 3) % CODES, np.array([0, 3])
    assert to_symbols(codes, actions, CODES).tolist() == [5, 0, 1, 2, 3, 4, 0, 8, 1, 2, 3, 4, 0, 1]
    assert unknown_actions(actions).tolist() == [UNKNOWN, UNKNOWN]
    assert frame_bits(np.arange(14.0, dtype=np.float32), frames=2).tolist() == [
        [1, 2, 3, 4, 5, 6],
        [8, 9, 10, 11, 12, 13],
    ]


def test_the_network_sees_the_frames_before_the_action_and_the_codes_so_far() -> None:
    prior = make_prior()
    together, length = 7, 28
    symbols = torch.randint(CODES, (1, length))
    nobody = torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        whole = prior(prior.previous(symbols), nobody)
        for place in range(length):
            other = symbols.clone()
            other[:, place] = (other[:, place] + 1) % CODES
            moved = (prior(prior.previous(other), nobody) - whole).abs().amax((0, 2)) > 1e-7
            assert not moved[: place + 1].any()
            frame, inside = divmod(place, together)
            codes_of = [slice(f * together + 1, (f + 1) * together) for f in range(length // together)]
            for later in range(frame + 1, length // together):
                # Two frames back, and of those the codes, not the actions.
                assert moved[codes_of[later]].any() == (inside > 0 and later - frame <= 2)
            if inside == 0:
                assert moved[codes_of[frame]].any()
            assert not moved[::together].any()  # actions are not foreseen from anything


def test_the_network_with_a_cache_is_the_one_without() -> None:
    prior = make_prior()
    symbols = torch.randint(CODES, (2, 28))
    nobody, cache = torch.zeros(2, dtype=torch.long), prior.cache()
    previous = prior.previous(symbols)
    with torch.no_grad():
        steps = [prior(previous[:, :10], nobody, cache)]
        steps += [prior(previous[:, t : t + 1], nobody, cache) for t in range(10, 28)]
        torch.testing.assert_close(torch.cat(steps, 1), prior(previous, nobody))


def test_films_go_on_as_whole_sequences_say() -> None:
    prior = make_prior()
    rng = np.random.default_rng(0)
    codes, actions = rng.integers(CODES, size=(3, 2, *GRID)), rng.integers(5, size=(3, 4))
    again = continue_films(prior, codes, actions, temperature=0)
    assert np.array_equal(again[:, :2], codes)
    for film in range(3):
        symbols = to_symbols(again[film], actions[film], CODES)
        with torch.no_grad():
            previous = prior.previous(torch.from_numpy(symbols[None]).long())
            logits = prior(previous, torch.tensor([prior.unconditional]))[0]
        likeliest = logits[:, :CODES].argmax(1).numpy().reshape(4, 7)[2:, 1:]
        assert np.array_equal(likeliest, again[film, 2:].reshape(2, 6))
    # A film's draws do not depend on those beside it.
    drawn = continue_films(prior, codes, actions, seed=5)
    assert np.array_equal(continue_films(prior, codes[:1], actions[:1], seed=5), drawn[:1])


def test_the_recipe_in_its_shortest_form(tmp_path: Path) -> None:
    words = ["--config", "conf/quick.conf", "--films", "12", "--test", "8"]
    words += ["--changes", "training.steps=12 training.quantize_from=4 training.batch=8 model.channels=8"]
    words += ["--prior-changes", "training.steps=2 training.batch=2 network.width=16 network.gate=16"]
    words += ["--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp")]
    ended = subprocess.run([RECIPE / "run.sh", *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "exp/default/RESULTS.json").read_text())
    assert (found["films"], found["given"]) == (8, GIVEN)
    errors = found["position_error"]
    obeys = next(iter(errors["with actions"]))
    assert len(errors["with actions"][obeys]["by_frame"]) == FRAMES - GIVEN
    # The rules without the actions are right until the first action, for the digit that obeys none to the end.
    assert errors["true motion, no action"][list(errors["with actions"])[1]]["mean"] == pytest.approx(0)
    page = (tmp_path / "exp/default/results.html").read_text()
    assert page.count("data:image/webp") == 3 * 8 + 3 * 4
    assert 'src="http' not in page
