"""Encoding of large corpora: rows of any source in order, shard by shard, each resumable.

>>> from vqspeech.encoding import encode_shard, open_rows
>>> encode_shard(vqspeech.load(), open_rows("rows.jsonl", out), out, shard=1, shards=16)     # doctest: +SKIP
"""

from vqspeech.encoding.checking import row_faults
from vqspeech.encoding.job_array import place_of_this_job
from vqspeech.encoding.row import Row, Rows
from vqspeech.encoding.shards import Outcome, encode_shard
from vqspeech.encoding.sources import is_manifest, open_rows

__all__ = ["Outcome", "Row", "Rows", "encode_shard", "is_manifest", "open_rows", "place_of_this_job", "row_faults"]
