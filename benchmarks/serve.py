"""A server under load, on this machine: how fast, how even, what it costs, and what gets lost.

Claim: micro-batching answers more photos a second than one by one; memory does not grow; of a
tenth of hostile requests each has its refusal, and nobody else notices; nothing is lost, and no
answer is 5xx but the deliberate 503.

    .venv/bin/python benchmarks/serve.py RUN PHOTOS [--seconds 600] [--clients 1 8 32]

For each number of clients and each of --batch-size 16 and 1, a server of its own is started on
127.0.0.1. Each client sends one request after another over a connection that it keeps: nine of ten
times a photo of PHOTOS (500 at most, as they are), else something hostile, in turn: text, a
truncated JPEG, a PNG that states 30,000 × 30,000 pixels, 48 megapixels of nothing in 140 kB, an
unknown field, a body over the limit, one that stops in the middle. A 503 is counted and asked
again, as Retry-After says. Printed: answers a second; p50, p95, p99 of good requests; photos in a
pass; resident memory after a tenth of the time and at the end; statuses. The clients run in this
process and on the same processors, which the figures include. Figures: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import numpy as np
from PIL import Image

from classeur.data.folders import walk_photos
from classeur.data.records import Listing
from rounds import conditions

PHOTOS, TENTH, PATIENCE = 500, 10, 200
EXPECTED = {
    "text": 422, "truncated": 422, "bomb": 422, "blank": 200, "field": 422, "long": 413,
    "broken off": 0,
}  # fmt: skip
"""What becomes of each hostile request; 0: the client goes away."""


@dataclass
class Tally:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 1])
    args = parser.parse_args()
    names = list(walk_photos(args.photos, Listing(args.photos, "")))
    rows = np.linspace(0, len(names) - 1, min(len(names), PHOTOS)).round().astype(int)
    photos = [(args.photos / names[row]).read_bytes() for row in rows]
    print(conditions(run=args.run.name, photos=len(photos), seconds=args.seconds))
    print("| clients | batch size | good/s | p50 | p95 | p99 | photos/pass | MB early, late |"
          " peak | statuses | wrong |")  # fmt: skip
    print("|---" * 11 + "|")
    for clients, batch_size in itertools.product(args.clients, args.batch_sizes):
        print(measured(args.run, photos, clients, batch_size, args.seconds), flush=True)


def measured(run: Path, photos: list[bytes], clients: int, batch_size: int, seconds: float) -> str:
    """Return a row of the table."""
    server, address = started(run, batch_size)
    try:
        tally, early, figures = asyncio.run(load(address, photos, clients, seconds))
        peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    if code != 0:
        tally.wrong[f"exit {code}"] += 1
    p50, p95, p99 = (f"{1000 * q:.0f} ms" for q in np.quantile(tally.seconds, (0.5, 0.95, 0.99)))
    together = figures["classeur_batch_photos_sum"] / figures["classeur_batch_photos_count"]
    statuses = ", ".join(f"{n} × {status}" for status, n in tally.statuses.most_common())
    wrong = ", ".join(f"{n} × {what}" for what, n in tally.wrong.most_common()) or "none"
    return (
        f"| {clients} | {batch_size} | {len(tally.seconds) / seconds:.1f} | {p50} | {p95} | {p99} "
        f"| {together:.1f} | {early:.0f}, {figures['process_resident_memory_bytes'] / 1e6:.0f} "
        f"| {int(peak[1]) * 1024 / 1e6 if peak else 0:.0f} | {statuses} | {wrong} |"
    )


def started(run: Path, batch_size: int) -> tuple[subprocess.Popen[str], str]:
    """Start a server; return it and its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "classeur", "serve", str(run), "--port=0",
         f"--batch-size={batch_size}"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in server.stderr or ():
        if found := re.search(r"http://\S+/", line):
            # the log goes on; a pipe that nobody reads would stop the server
            subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
            return server, found[0]
    raise SystemExit(f"the server did not start ({server.wait()})")


async def load(
    address: str, photos: list[bytes], clients: int, seconds: float
) -> tuple[Tally, float, dict[str, float]]:
    """Let clients ask for some time; return what they saw, early memory in MB, last figures."""
    tally, end = Tally(), time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=address, timeout=60) as scraper:
        asking = [
            asyncio.create_task(client(address, number, photos, end, tally))
            for number in range(clients)
        ]
        await asyncio.sleep(seconds / 10)
        early = (await scrape(scraper))["process_resident_memory_bytes"] / 1e6
        await asyncio.gather(*asking)
        return tally, early, await scrape(scraper)


async def scrape(client: httpx.AsyncClient) -> dict[str, float]:
    text = (await client.get("metrics")).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#"]
    return {name.partition("{")[0]: float(value) for name, value in lines}


async def client(address: str, number: int, photos: list[bytes], end: float, tally: Tally) -> None:
    """Ask until the time is over."""
    attacks = itertools.cycle(EXPECTED)
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as http:
        for turn in itertools.count(number):
            if time.monotonic() > end:
                return
            if turn % TENTH == 0:
                await attack(http, next(attacks), photos[turn % len(photos)], tally)
            else:
                await good(http, photos[turn * 7 % len(photos)], tally)


async def good(http: httpx.AsyncClient, photo: bytes, tally: Tally) -> None:
    began = time.perf_counter()
    for _ in range(PATIENCE):
        answer = await http.post("predict", content=photo, headers={"Content-Type": "image/jpeg"})
        tally.statuses[str(answer.status_code)] += 1
        if answer.status_code != 503:
            break
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    if answer.status_code != 200 or not answer.json()["photos"][0]["label"]:
        tally.wrong[f"good: {answer.status_code} {answer.text[:80]}"] += 1
    tally.seconds.append(time.perf_counter() - began)


async def attack(http: httpx.AsyncClient, kind: str, photo: bytes, tally: Tally) -> None:
    headers = {"Content-Type": "image/png"}
    contents: dict[str, bytes | AsyncIterator[bytes]] = {
        "text": b"no photo at all", "truncated": photo[: len(photo) // 2], "bomb": BOMB,
        "blank": BLANK, "long": slices(), "broken off": breaking(photo),
    }  # fmt: skip
    try:
        if kind == "field":
            answer = await http.post("predict", files={"file": photo})
        else:
            answer = await http.post("predict", content=contents[kind], headers=headers)
    except BreakOffError:
        tally.statuses["broken off"] += 1
        return
    except httpx.WriteError:  # the server had said no before all was sent
        tally.statuses["cut"] += 1
        return
    tally.statuses[str(answer.status_code)] += 1
    if answer.status_code not in (EXPECTED[kind], 503):
        tally.wrong[f"{kind}: {answer.status_code} {answer.text[:80]}"] += 1


class BreakOffError(Exception):
    """A client that loses interest."""


async def breaking(photo: bytes) -> AsyncIterator[bytes]:
    yield photo[:1000]
    raise BreakOffError


async def slices() -> AsyncIterator[bytes]:
    for _ in range(33):
        yield bytes(1 << 20)


def png(width: int, height: int, rows: Iterator[bytes]) -> bytes:
    """Return a grey PNG of one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packed = zlib.compress(b"".join(rows), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


BOMB = png(30_000, 30_000, iter([bytes(1000)]))


def _blank() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8000, 6000)).save(file, "PNG", compress_level=9)
    return file.getvalue()


BLANK = _blank()

if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    main()
