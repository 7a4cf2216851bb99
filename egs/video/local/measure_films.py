"""Go on with test films and measure where the digits are: RESULTS.json, and the films that the page shows.

    measure_films.py EXP DATA [--temperature T] [--seed N]

EXP has model/, codes/ and prior/ as run.sh makes them.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from command import main
from film_codes import continue_films, frame_bits, to_symbols, unknown_actions
from film_network import FilmConfig
from masked_prior import load_masked_prior
from moving_digits import ACTIONS, FRAMES, GIVEN, Films, find_digits, read_films, trajectory
from networks import ImageVQVAE, load_image_model
from numpy.typing import NDArray

from vqspeech.cli.common.progress import bar
from vqspeech.codes import perplexity, usage
from vqspeech.evaluation.bootstrap import interval, resampling
from vqspeech.files import atomic_open, atomic_path
from vqspeech.model.prior import Prior
from vqspeech.model.prior.scoring import code_bits

#: Films shown, and beginnings that every action is shown from.
SHOWN, BEGINNINGS = 8, 3
DIGITS = ("orange, which obeys actions", "blue, which obeys none")


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def run(options: argparse.Namespace) -> None:
    """Measure, and write what was found."""
    model = load_image_model(options.exp / "model" / "checkpoints" / "best")
    prior = load_masked_prior(options.exp / "prior" / "checkpoints" / "best", FilmConfig)
    films = read_films(options.data / "test.npz")
    with np.load(options.exp / "codes" / "test.npz") as held:
        codes = held["codes"].astype(np.int64)  # (n, FRAMES, rows, columns)
    both = np.concatenate([films.actions, unknown_actions(films.actions)])
    given = np.concatenate([codes[:, :GIVEN]] * 2)
    again = continue_films(
        prior, given, both, temperature=options.temperature, seed=options.seed, progress=bar("films", "frame")
    )
    generated = {
        "with actions": decoded(model, again[: len(codes)]),
        "without actions": decoded(model, again[len(codes) :]),
    }
    reconstructed = decoded(model, codes)
    positions = {name: find_digits(frames, films.digits) for name, frames in generated.items()}
    positions |= {
        "copy of the last given frame": films.places[:, GIVEN - 1 : GIVEN].repeat(FRAMES, 1),
        "true motion, no action": extrapolated(films),
        "true frames through the VQ-VAE": find_digits(reconstructed, films.digits),
    }
    used = usage(codes.reshape(len(codes), -1), model.config.quantizer.codes)
    squared = np.square(reconstructed.astype(np.float64) - films.frames).mean()
    found = {
        "films": len(codes),
        "frames": FRAMES,
        "given": GIVEN,
        "codes": model.config.quantizer.codes,
        "grid": list(codes.shape[2:]),
        "used": int((used > 0).sum()),
        "perplexity": perplexity(used),
        "psnr": 10 * math.log10(255**2 / squared),
        "temperature": options.temperature,
        "position_error": {name: errors(places, films.places) for name, places in positions.items()},
        "bits": bits(prior, codes, films, model.config.quantizer.codes),
    }
    arrays: dict[str, Any] = {
        "truth": films.frames[:SHOWN],
        "reconstructed": reconstructed[:SHOWN],
        "actions": films.actions[:SHOWN],
    }
    arrays |= {name: frames[:SHOWN] for name, frames in generated.items()}
    arrays["commanded"] = commanded(model, prior, codes[:BEGINNINGS], films.actions[:BEGINNINGS], options)
    with atomic_path(options.exp / "shown.npz") as path:
        np.savez_compressed(path, **arrays)
    with atomic_open(options.exp / "RESULTS.json") as file:
        json.dump(found, file, indent=1)
    error = found["position_error"]["with actions"][DIGITS[0]]["mean"]
    print(f"{options.exp}/RESULTS.json: the orange digit is {error:.2f} pixels from where it should be, on average")


def decoded(model: ImageVQVAE, codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """``(n, frames, rows, columns)`` codes -> ``(n, frames, SIDE, SIDE, 3)``."""
    frames = model.decode(codes.reshape(-1, *codes.shape[2:]))
    return frames.reshape(*codes.shape[:2], *frames.shape[1:])


def extrapolated(films: Films) -> NDArray[np.int64]:
    """Where the digits would be, by the rules they move by, if there were no action after the given frames."""
    last = GIVEN - 1
    still = np.zeros_like(films.actions[:, last:])
    on, _ = trajectory(films.places[:, last], films.velocities[:, last], still)
    return np.concatenate([films.places[:, :last], on], 1)


def errors(places: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Distances in pixels from the true places over the generated frames, for each digit, intervals over films."""
    distance = np.sqrt(np.square(places - truth).sum(-1))[:, GIVEN:]  # (n, generated frames, 2)
    draws = resampling([str(film) for film in range(len(truth))])
    found = {}
    for which, name in enumerate(DIGITS):
        by_film = distance[:, :, which].mean(1)
        found[name] = {
            "mean": float(by_film.mean()),
            "interval": list(interval(by_film.mean(), draws.share(by_film, np.ones(len(by_film))), highest=np.inf)),
            "by_frame": distance[:, :, which].mean(0).tolist(),
            "exact": float((distance[:, :, which] == 0).mean()),
        }
    return found


def bits(prior: Prior, codes: NDArray[np.int64], films: Films, size: int) -> dict[str, Any]:
    """Bits per code of the frames to generate, each given all true frames before it."""
    found: dict[str, Any] = {"uniform": math.log2(size)}
    for name, actions in (("with actions", films.actions), ("without actions", unknown_actions(films.actions))):
        symbols = [to_symbols(film, of_film, size) for film, of_film in zip(codes, actions, strict=True)]
        scores = np.stack([frame_bits(one) for one in code_bits(prior, symbols, [prior.unconditional] * len(symbols))])
        found[name] = float(scores[:, GIVEN:].mean())
        acted = films.actions[:, GIVEN:] > 0
        found[f"{name}, frames with an action"] = float(scores[:, GIVEN:][acted].mean())
    return found


def commanded(
    model: ImageVQVAE, prior: Prior, codes: NDArray[np.int64], actions: NDArray[np.int64], options: argparse.Namespace
) -> NDArray[np.uint8]:
    """Each beginning gone on with under each command, given once: ``(beginnings, commands, frames, SIDE, SIDE, 3)``."""
    commands = ACTIONS[1:5]
    n = len(codes)
    given = codes[:, None, :GIVEN].repeat(len(commands), 1).reshape(n * len(commands), GIVEN, *codes.shape[2:])
    conditions = actions.repeat(len(commands), 0)
    conditions[:, GIVEN:] = 0
    conditions[:, GIVEN] = np.tile([ACTIONS.index(name) for name in commands], n)
    again = continue_films(prior, given, conditions, temperature=options.temperature, seed=options.seed + 1)
    frames = decoded(model, again)
    return frames.reshape(n, len(commands), *frames.shape[1:])


if __name__ == "__main__":
    main(arguments(), run)
