"""Files from the network: a broken download goes on where it stopped, and its sum is checked before it is used."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import socket
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from vqspeech.errors import InputError

Progress = Callable[[int, int], None]

#: Times in a row that a connection may break without a byte having come.
TRIES = 5
#: Seconds without a byte after which a connection counts as broken.
PATIENCE = 60.0
_CHUNK = 1 << 20
#: Hexadecimal digits of each kind of checksum.
_DIGITS = {"sha256": 64, "md5": 32}


def fetch(url: str, target: Path, *, checksum: str, progress: Progress | None = None, wait: float = 2.0) -> None:
    """Download ``url`` as ``target``; what has come lies in ``target.part`` until all has.

    Args:
        url: an address of HTTP or HTTPS.
        target: the file to make; one that is there with the right sum is left as it is.
        checksum: ``sha256:...`` or ``md5:...``.
        progress: called with the bytes that are there and those of the whole file (0 if not known).
        wait: seconds before the second try after a broken connection; twice as many before each further one.

    Raises:
        InputError: the file on the server, or the one that is there, is another; or it cannot be had.
        OSError: the disk is full.
    """
    kind_and_digest(checksum)
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise InputError("no address of HTTP or HTTPS", where=url, hint="give one that begins with https://")
    if target.exists():
        _verify(target, checksum, hint="remove it, or move it elsewhere")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    resumed = part.exists()
    _complete(url, part, progress, wait)
    try:
        _verify(part, checksum, hint="")
    except InputError:
        part.unlink()
        if not resumed:
            raise InputError(
                f"what is at {url} has not the sum {checksum}", where=target, hint="is there a newer version of it?"
            ) from None
        # The first part may have come from another version of the file.
        _complete(url, part, progress, wait)
        _verify(part, checksum, hint=f"what is at {url} is another file")
    part.replace(target)


def kind_and_digest(checksum: str) -> tuple[str, str]:
    """Name of the hash and its value in lower-case hexadecimal.

    Args:
        checksum: ``sha256:`` and 64 digits, or ``md5:`` and 32.

    Raises:
        InputError: it is anything else.
    """
    kind, _, digest = checksum.partition(":")
    digits = _DIGITS.get(kind)
    if digits is None:
        raise InputError(f"{checksum[:100]!r} is no checksum", hint="give sha256:HEX or md5:HEX")
    if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", digest):
        raise InputError(f"{checksum[:100]!r} is no checksum", hint=f"give {kind}: and {digits} hexadecimal digits")
    return kind, digest.lower()


def _verify(file: Path, checksum: str, *, hint: str) -> None:
    kind, digest = kind_and_digest(checksum)
    found = hashlib.new(kind, usedforsecurity=False)
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            found.update(chunk)
    if found.hexdigest() != digest:
        raise InputError(f"its {kind} is {found.hexdigest()}, not {digest}", where=file, hint=hint)


def _complete(url: str, part: Path, progress: Progress | None, wait: float) -> None:
    """Add to ``part`` until the server has no more."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _receive(url, part, progress):
                return
            problem = "the connection broke"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise InputError(
                    f"the server answers {error.code} {error.reason}", where=url, hint="check the address"
                ) from None
            problem = f"the server answers {error.code}"
        except urllib.error.URLError as error:
            if isinstance(error.reason, socket.gaierror) and not part.exists():
                raise InputError(
                    f"no such server: {error.reason.strerror}", where=url, hint="check the address"
                ) from None
            problem = str(error.reason)
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            problem = str(error) or type(error).__name__
        moved = part.exists() and part.stat().st_size > before
        failures = 1 if moved else failures + 1
        if failures >= TRIES:
            raise InputError(problem, where=url, hint=f"the same command goes on later; {part} holds what has come")
        time.sleep(wait * 2 ** (failures - 1))


def _receive(url: str, part: Path, progress: Progress | None) -> bool:
    """One connection; whether the file is whole after it, judged by its length."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "vqspeech", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE)
    except ValueError:
        raise InputError("no address of HTTP or HTTPS", where=url, hint="give one that begins with https://") from None
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return True  # nothing is left to send; the checksum shows whether that is right
        raise
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else 0
        with part.open("ab") as file:
            file.truncate(have)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if progress:
                    progress(have, total)
    return not total or have == total


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP or tar archive as ``folder``, which is there whole or not at all.

    An archive of a single folder that has the same name becomes that folder.

    Raises:
        InputError: it is no such archive, or damaged, or ``folder`` is there already.
    """
    if folder.exists():
        raise InputError("is there already", where=folder, hint="remove it to unpack again")
    partial = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as content:
                content.extractall(partial)
        else:
            with tarfile.open(archive) as content:
                content.extractall(partial, filter="data")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        # RuntimeError: the archive is encrypted.
        raise InputError(f"no archive that can be unpacked: {error}", where=archive, hint="download it again") from None
    os.sync()
    top = list(partial.iterdir())
    if [path.name for path in top] == [folder.name] and top[0].is_dir():
        top[0].replace(folder)
        partial.rmdir()
    else:
        partial.replace(folder)
