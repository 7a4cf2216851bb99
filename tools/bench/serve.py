"""Load the server of ``vqspeech serve`` as a crowd would, and say whether it stood it.

Fifty clients at once convert the sample, while five hundred damaged uploads come and others leave in the middle; it
counts well-formed requests that were not answered, answers that are no single line, and the memory of its processes.

Run as ``python tools/bench/serve.py`` (it starts a server of its own on a free port of this machine).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vqspeech import ranges

SAMPLE = Path(__file__).parents[2] / "vqspeech" / "web" / "static" / "sample.flac"
_BUSY = 503


def started(arguments: list[str]) -> tuple[subprocess.Popen[str], int]:
    """A server, when it answers, and its port."""
    server = subprocess.Popen(
        [sys.executable, "-m", "vqspeech", "serve", "--port", "0", *arguments], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
            return server, int(found[1])
    raise SystemExit("the server did not start")


def family(pid: int) -> list[int]:
    """A process and those it has started, and theirs."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def memory(pid: int) -> tuple[float, float, int]:
    """MB (proportional set size) of the server alone and of all its processes, and how many these are."""
    sizes = []
    for each in family(pid):
        try:
            text = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes.append(sum(int(kilobytes) for kilobytes in re.findall(r"^Pss: +(\d+)", text, re.MULTILINE)) / 1024)
    return sizes[0], sum(sizes), len(sizes)


def post(port: int, query: str, body: bytes, patience: float) -> tuple[int, bytes]:
    """Status and body of a request."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{query}", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def converted(port: int, voice: str, body: bytes, patience: float) -> str:
    """Convert a recording as the page does; one that is refused for want of room tries again."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        status, answer = post(port, f"/api/convert?speaker={voice}", body, patience)
        if status == _BUSY:
            time.sleep(random.uniform(0.2, 1.0))
            continue
        found = re.search(rb'"event": "audio", "bytes": (\d+)}\n', answer)
        return "answered" if found and len(answer) - found.end() == int(found[1]) else f"not answered ({status})"
    return "not answered (no room)"


def hostile(port: int, voice: str, body: bytes, patience: float) -> str:
    """Send damaged bytes; whatever they still are, the answer is sound or a line."""
    status, answer = post(port, f"/api/convert?speaker={voice}", body, patience)
    if status == _BUSY:
        return "no room"
    if b"Traceback" in answer or b'File "' in answer:
        return "TRACEBACK"
    if b'"event": "audio"' in answer:
        return "still audio"
    said = json.loads(answer.splitlines()[-1])
    message = said.get("message") or said.get("error") or ""
    return "one line" if message and "\n" not in message and "/" not in message.split("(")[0] else "NO LINE"


def leave(port: int, voice: str, body: bytes, when: float) -> str:
    """Begin a conversion, and go: in the upload where ``when`` is below 0.5, else while it is computed."""
    head = (
        f"POST /api/convert?speaker={voice} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        if when < 0.5:
            connection.sendall(head.encode() + body[: round(2 * when * len(body))])
            time.sleep(0.1)
        else:
            connection.sendall(head.encode() + body)
            time.sleep(4 * (when - 0.5))
    return "left"


def damaged(sound: bytes, number: int) -> bytes:
    """A damaged copy, by number."""
    rng = random.Random(number)
    if number % 10 == 0:
        return rng.randbytes(rng.randrange(1, 20_000))
    data = bytearray(sound)
    for _ in range(rng.choice([1, 10, 100, 1000])):
        data[rng.randrange(min(len(data), rng.choice([50, 2000, len(data)])))] = rng.randrange(256)
    if rng.random() < 0.4:
        del data[rng.randrange(1, len(data)) :]
    return bytes(data)


def main() -> int:
    """Load it, print what came of it; 1 where it did not stand it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=ranges.COUNT, default=50, metavar="N", help="at once; default: 50")
    parser.add_argument("--hostile", type=ranges.COUNT, default=500, metavar="N", help="damaged uploads; default: 500")
    parser.add_argument("--leaving", type=ranges.COUNT, default=50, metavar="N", help="clients that go; default: 50")
    parser.add_argument("--rounds", type=ranges.COUNT, default=2, metavar="N", help="of all that; default: 2")
    parser.add_argument("--patience", type=ranges.TOLERANCE, default=600.0, metavar="S", help="default: 600")
    parser.add_argument("--model", metavar="DIR", help="default: the packaged model")
    options = parser.parse_args()
    server, port = started(["--model", options.model] if options.model else [])
    threading.Thread(target=lambda: [print(line, end="") for line in server.stderr or ()], daemon=True).start()
    sound = SAMPLE.read_bytes()
    sizes = []
    failed = False
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/info") as answer:
            voice = json.load(answer)["voices"][0]["name"]
        print("one conversion first:", converted(port, voice, sound, options.patience))
        sizes.append(memory(server.pid))
        for turn in range(options.rounds):
            began, first = time.monotonic(), turn * options.hostile
            with (
                ThreadPoolExecutor(options.clients) as good,
                ThreadPoolExecutor(16) as bad,
                ThreadPoolExecutor(4) as gone,
            ):
                sent = [good.submit(converted, port, voice, sound, options.patience) for _ in range(options.clients)]
                sent += [
                    bad.submit(hostile, port, voice, damaged(sound, first + number), options.patience)
                    for number in range(options.hostile)
                ]
                sent += [
                    gone.submit(leave, port, voice, sound, random.Random(n).random()) for n in range(options.leaving)
                ]
            results = Counter(future.result() for future in sent)
            time.sleep(2)
            sizes.append(memory(server.pid))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status") as answer:
                waiting = json.load(answer)["waiting"]
            print(
                f"round {turn + 1}: {time.monotonic() - began:.0f} s, {dict(sorted(results.items()))}, {waiting} left"
            )
            failed |= results["answered"] != options.clients or waiting > 0
            failed |= any(results[word] for word in ("TRACEBACK", "NO LINE"))
    finally:
        server.terminate()
        server.wait()
    for name, (alone, everything, processes) in zip(
        ["before", *map("after round {}".format, range(1, 99))], sizes, strict=False
    ):
        print(f"{name}: server {alone:.0f} MB, with its {processes - 1} others {everything:.0f} MB")
    growth = sizes[-1][0] - sizes[1][0]
    failed |= growth > 10
    print("FAILED" if failed else "stood it")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
