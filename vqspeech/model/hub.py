"""Models of the Hugging Face Hub: a repository there is a model directory, fetched into huggingface_hub's cache.

Anybody can make a repository. Of one, only the four files of a model directory are fetched, none of which is code or a
pickle, and none if together they are larger than any model can be; what is in them is checked as in every other model
directory (``vqspeech.model.stored``).
"""

from __future__ import annotations

import os
from pathlib import Path

from vqspeech.errors import InputError, MissingExtraError, decoding

#: Before ``owner/name`` or ``owner/name@revision``, wherever a model is named.
PREFIX = "hf://"
#: What is fetched and sent: a model directory and its card.
FILES = ("config.yaml", "speakers.txt", "model.safetensors", "README.md")
#: Bytes of a repository's model, at most: more numbers than ``vqspeech.model.stored`` takes.
_LARGEST = 5 << 30


def parse_address(address: str) -> tuple[str, str | None]:
    """``hf://owner/name@revision`` -> repository and revision, None where none is given.

    Raises:
        InputError: it names no repository.
    """
    repository, _, revision = address.removeprefix(PREFIX).partition("@")
    parts = repository.split("/")
    if len(parts) != 2 or not all(parts) or ("@" in address and not revision):
        raise InputError("no repository of the Hub", where=address, hint=f"write {PREFIX}owner/name[@revision]")
    return repository, revision or None


def download(
    repository: str,
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    token: str | bool | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
) -> Path:
    """Fetch a model, or find it in the cache.

    Args:
        repository: ``owner/name``.
        revision: branch, tag or commit; ``main`` if not given.
        cache_dir: in place of huggingface_hub's cache.
        token: for private and gated repositories; what ``hf auth login`` stored if not given.
        force_download: even if it is in the cache.
        local_files_only: do not use the network.

    Returns:
        The model directory, in the cache.

    Raises:
        InputError: huggingface_hub is not installed, there is no such repository, it cannot be reached and is not in
            the cache, or its model is too large.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError("huggingface_hub", extra="hub", purpose=f"a model of the Hub ({repository})") from None
    where = f"{PREFIX}{repository}" + (f"@{revision}" if revision else "")
    with decoding("cannot be fetched", where=where, hint="check name, revision, network and `hf auth login`"):
        if not local_files_only:
            _check_size(repository, revision, token, where)
        folder: str = snapshot_download(
            repository,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            force_download=force_download,
            local_files_only=local_files_only,
            allow_patterns=list(FILES),
            library_name="vqspeech",
        )
    return Path(folder)


def _check_size(repository: str, revision: str | None, token: str | bool | None, where: str) -> None:
    """Refuse a repository whose model would fill the disk before any of it is fetched."""
    from huggingface_hub import HfApi

    try:
        info = HfApi(token=token).model_info(repository, revision=revision, files_metadata=True)
    except Exception:  # as many kinds as there are networks; the download finds the cache, or says what is wrong
        return
    size = sum(file.size or 0 for file in info.siblings or [] if file.rfilename in FILES)
    if size > _LARGEST:
        raise InputError(f"a model of {size / 1e9:.1f} GB", where=where, hint="no model of this package is so large")
