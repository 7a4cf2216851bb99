"""A recording that lies in a tar file, which is read without unpacking it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from vqspeech.errors import InputError

#: Bytes of a recording in a tar file, at most.
_LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class Member:
    """A recording in a tar file.

    Attributes:
        tar: the file.
        name: of the member.
        start: where its bytes begin.
        size: how many they are.
    """

    tar: Path
    name: str
    start: int
    size: int

    def __str__(self) -> str:
        return f"{self.tar}:{self.name}"

    def open(self) -> io.BytesIO:
        """Its bytes.

        Raises:
            InputError: the file is gone or cut short.
        """
        if self.name.endswith(".nodata"):
            raise InputError("a cut without audio", where=str(self), hint="write the Shar again with its recordings")
        if self.size > _LARGEST:
            raise InputError(f"a recording of {self.size} bytes", where=str(self), hint="cut it into parts")
        try:
            with self.tar.open("rb") as file:
                file.seek(self.start)
                content = file.read(self.size)
        except OSError as error:
            raise InputError(error.strerror or str(error), where=str(self), hint="copy the Shar again") from None
        if len(content) < self.size:
            raise InputError("cut short", where=str(self), hint="copy the Shar again")
        stream = io.BytesIO(content)
        stream.name = str(self)  # for messages
        return stream
