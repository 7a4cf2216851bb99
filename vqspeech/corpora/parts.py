"""How a corpus is divided into train, dev and test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from vqspeech.datadir import DataDir, Utterance, split
from vqspeech.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The division of a corpus.

    Attributes:
        dev: share of the dev part, 0 for none.
        test: share of the test part, 0 for none.
        by: share every speaker among the parts ("utterance"), keep each in one ("speaker"), or take the division that
            the corpus itself comes with ("official", where it has one).
        at_least: by utterance, how many of a speaker's utterances go to dev and to test even where the share is less
            than that, if the speaker has more than four times as many (``vqspeech.datadir.split``).
        seed: another seed makes another division.
    """

    dev: float = 0.05
    test: float = 0.05
    by: Literal["utterance", "speaker", "official"] = "utterance"
    at_least: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.dev >= 0 and self.test >= 0 and self.dev + self.test < 1):
            raise InputError(
                f"shares of dev ({self.dev}) and test ({self.test}) leave nothing to train from",
                hint="give shares between 0 and 1 that add up to less than 1",
            )

    def divide(
        self,
        utterances: Iterable[Utterance],
        *,
        official: Callable[[Utterance], str] | None = None,
        key: Callable[[Utterance], str] | None = None,
    ) -> dict[str, DataDir]:
        """Part name -> utterances; empty parts are left out.

        Args:
            utterances: the corpus.
            official: the corpus's own part of an utterance.
            key: what decides, by its hash, where an utterance goes (by utterance only); its id when None.

        Raises:
            InputError: the corpus comes without a division.
        """
        data = DataDir(utterances)
        if self.by == "official":
            if official is None:
                raise InputError("this corpus has no division of its own", hint="divide by utterance or by speaker")
            names = sorted({official(utterance) for utterance in data})
            return {name: data.subset(lambda u, name=name: official(u) == name) for name in names}  # type: ignore[misc]
        shares = {"train": 1 - self.dev - self.test, "dev": self.dev, "test": self.test}
        if self.by == "speaker":
            parts = split(data, by="speaker", parts=shares, seed=self.seed)
        else:
            parts = split(data, by="utterance", parts=shares, seed=self.seed, at_least=self.at_least, key=key)
        return {name: part for name, part in parts.items() if len(part)}
