"""Films of two moving digits, made from scikit-learn's digits by a seed.

Both digits move by a constant velocity and bounce off the walls. The orange one moves along rows or columns and obeys
actions, each of which gives it a new direction; the blue one moves diagonally and obeys none.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.files import atomic_open

#: Rows and columns of a frame, of a digit; pixels that a digit moves per frame; frames of a film.
SIDE, DIGIT, SPEED, FRAMES = 24, 8, 4, 20
#: Frames that are given, before generation goes on.
GIVEN = 4
#: What an action may be. "none" leaves the direction as it is; "unknown" stands where the action is not given.
ACTIONS = ("none", "up", "down", "left", "right", "unknown")
UNKNOWN = ACTIONS.index("unknown")
#: Direction of each action, rows and columns.
DIRECTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
#: How probable an action is in a frame after the first.
ACTING = 0.15
#: Colours of the two digits; they add up to white.
ORANGE, BLUE = (255, 128, 0), (0, 127, 255)


@dataclass(frozen=True)
class Films:
    """Films and what is known of them.

    Attributes:
        frames: ``(n, FRAMES, SIDE, SIDE, 3)`` uint8.
        actions: ``(n, FRAMES)`` int64, indices of ``ACTIONS``; that of a frame has led to it.
        places: ``(n, FRAMES, 2, 2)`` int64, row and column of the upper left corner of the orange and the blue digit.
        velocities: of the same shape, pixels per frame to the next frame, if no action changes it.
        digits: ``(n, 2, DIGIT, DIGIT)`` float64 in [0, 1], the two digits of each film.
    """

    frames: NDArray[np.uint8]
    actions: NDArray[np.int64]
    places: NDArray[np.int64]
    velocities: NDArray[np.int64]
    digits: NDArray[np.float64]


def make_films(count: int, glyphs: NDArray[np.float64], seed: int) -> Films:
    """Make films.

    Args:
        count: how many.
        glyphs: ``(n, DIGIT, DIGIT)`` in [0, 1], the digits that they are made from.
        seed: of everything drawn.
    """
    rng = np.random.default_rng(seed)
    digits = glyphs[rng.integers(len(glyphs), size=(count, 2))]
    actions = rng.integers(1, 1 + len(DIRECTIONS), size=(count, FRAMES))
    actions[rng.random((count, FRAMES)) >= ACTING] = 0
    actions[:, 0] = 0
    first = SPEED * rng.integers(0, (SIDE - DIGIT) // SPEED + 1, size=(count, 2, 2))
    velocity = np.empty((count, 2, 2), np.int64)
    velocity[:, 0] = SPEED * np.array(list(DIRECTIONS.values()))[rng.integers(len(DIRECTIONS), size=count)]
    velocity[:, 1] = SPEED * rng.choice([-1, 1], size=(count, 2))
    places, velocities = trajectory(first, velocity, actions)
    return Films(draw_frames(digits, places), actions, places, velocities, digits)


def trajectory(
    first: NDArray[np.int64], velocity: NDArray[np.int64], actions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the digits are, and how they move on.

    Args:
        first: ``(n, 2, 2)``, row and column of both digits in the first frame.
        velocity: ``(n, 2, 2)``, pixels per frame, from the first frame on.
        actions: ``(n, frames)``; the first frame's is not used.

    Returns:
        Places and velocities, ``(n, frames, 2, 2)`` each.
    """
    places, velocities = [first], [velocity]
    most = SIDE - DIGIT
    for frame in range(1, actions.shape[1]):
        velocity = velocities[-1].copy()
        for action, direction in DIRECTIONS.items():
            velocity[actions[:, frame] == ACTIONS.index(action), 0] = np.array(direction) * SPEED
        place = places[-1] + velocity
        outside = (place < 0) | (place > most)
        velocities.append(np.where(outside, -velocity, velocity))
        places.append(np.where(place < 0, -place, np.where(place > most, 2 * most - place, place)))
    return np.stack(places, 1), np.stack(velocities, 1)


def draw_frames(digits: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """``(n, 2, DIGIT, DIGIT)`` and ``(n, frames, 2, 2)`` -> ``(n, frames, SIDE, SIDE, 3)`` uint8."""
    canvas = np.zeros((*places.shape[:2], SIDE, SIDE, 3))
    for which, colour in enumerate((ORANGE, BLUE)):
        for film, frame in np.ndindex(*places.shape[:2]):
            row, column = places[film, frame, which]
            glyph = digits[film, which][..., None] * np.array(colour)
            canvas[film, frame, row : row + DIGIT, column : column + DIGIT] += glyph
    return np.round(canvas).clip(0, 255).astype(np.uint8)


def find_digits(frames: NDArray[np.uint8], digits: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where the digits are in frames, by least squares.

    Red is the orange digit's alone and blue the blue one's; each digit is put where its own image leaves the least
    squared error in its channel, which is where the two correlate most.

    Args:
        frames: ``(n, frames, SIDE, SIDE, 3)`` uint8.
        digits: ``(n, 2, DIGIT, DIGIT)``.

    Returns:
        ``(n, frames, 2, 2)``, as ``Films.places``.
    """
    channels = frames[..., (0, 2)].astype(np.float64)  # (n, frames, SIDE, SIDE, 2)
    windows = np.lib.stride_tricks.sliding_window_view(channels, (DIGIT, DIGIT), axis=(2, 3))
    scores = np.einsum("nfrcwij,nwij->nfwrc", windows, digits, optimize=True)
    best = scores.reshape(*scores.shape[:3], -1).argmax(-1)
    return np.stack(np.unravel_index(best, scores.shape[3:]), -1)


def glyph_parts() -> dict[str, NDArray[np.float64]]:
    """scikit-learn's digits in [0, 1]: those that films of each part are made from. No digit is in two parts."""
    from sklearn.datasets import load_digits

    glyphs = load_digits().images / 16
    order = np.random.default_rng(0).permutation(len(glyphs))
    held = len(glyphs) // 9
    return {"test": glyphs[order[:held]], "dev": glyphs[order[held : 2 * held]], "train": glyphs[order[2 * held :]]}


_FIELDS = ("frames", "actions", "places", "velocities", "digits")


def write_films(films: Films, path: Path) -> None:
    """Write films as one file."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **{name: getattr(films, name) for name in _FIELDS})
    with atomic_open(path, "wb") as file:
        file.write(packed.getbuffer())


def read_films(path: Path) -> Films:
    """Read what ``write_films`` has written.

    Raises:
        InputError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            return Films(**{name: held[name] for name in _FIELDS})
    except (ValueError, KeyError, EOFError) as error:
        raise InputError(f"no films: {error}", where=path, hint="make them with make_films.py") from None
