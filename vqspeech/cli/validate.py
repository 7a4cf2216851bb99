"""Check Kaldi data directories, and manifests of recordings, and name each fault's file, line and hint.

Of a data directory it finds what Kaldi's utils/validate_data_dir.sh --no-feats finds, and besides: audio files that are
not there, faults of phones.ctm, text that is not UTF-8. Of a manifest (.jsonl, .parquet, lhotse's cuts or Shar), whose
recordings are not opened: a row that makes no sense, ids that are there twice, parts without length. The exit status
is 1 when something has faults.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from vqspeech.counts import counted
from vqspeech.datadir import DataDir, validate

#: Issues shown per file, unless all are asked for.
_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="a data directory, or a manifest")
    parser.add_argument("--no-text", action="store_true", help="a directory without transcripts is in order")
    parser.add_argument("--all", action="store_true", help=f"show every issue, not the first {_SHOWN} of a file")


def run(options: argparse.Namespace) -> int:
    """Print the issues; 1 when there are any."""
    from vqspeech.encoding import is_manifest

    failed = False
    for path in options.directories:
        if is_manifest(path):
            failed = _check_manifest(path, everything=options.all) or failed
            continue
        issues = validate(path, require_text=not options.no_text)
        failed = failed or bool(issues)
        shown: Counter[Path] = Counter()
        for issue in issues:
            shown[issue.file] += 1
            if options.all or shown[issue.file] <= _SHOWN:
                print(issue)
        for file, count in shown.items():
            if not options.all and count > _SHOWN:
                print(f"{file}: {count - _SHOWN} more (--all shows them)")
        if issues:
            print(f"{path}: {counted(len(issues), 'fault')}")
        else:
            data = DataDir.read(path)
            hours = "" if data.hours is None else f", {data.hours:.2f} hours"
            print(
                f"{path}: in order, {counted(len(data.speakers), 'speaker')}, {counted(len(data), 'utterance')}{hours}"
            )
    return int(failed)


def _check_manifest(path: Path, *, everything: bool) -> bool:
    """Print its faults; whether there are any."""
    from vqspeech.encoding import open_rows, row_faults

    count = 0
    for fault in row_faults(open_rows(path, path.parent)):
        count += 1
        if everything or count <= _SHOWN:
            print(fault)
    if count > _SHOWN and not everything:
        print(f"{path}: {count - _SHOWN} more (--all shows them)")
    print(f"{path}: {counted(count, 'fault') if count else 'in order'}")
    return count > 0
