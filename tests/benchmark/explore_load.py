"""A thousand requests at once to ``lightning-gan explore``, in rounds: answers, seconds, memory.

    python tests/benchmark/explore_load.py runs/digits_dcgan/version_0

Needs Linux, whose ``/proc`` says how much memory the other process holds.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

ROUNDS, REQUESTS = 8, 1000
ASKED = (
    *(f"/api/samples?num=24&seed={seed}" for seed in range(40)),
    *(f"/api/point?x=0.{tenth}&y=0.5" for tenth in range(9)),
    "/api/map?size=9",
    "/api/way?from=0:1&to=0:2&num=12",
    "/api/samples.png?num=64",
    "/api/samples?num=bad",
)


async def ask(address: str, path: str) -> str:
    """Return the status of the answer, or how the connection failed."""
    host, _, port = address.partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    except OSError as error:
        return type(error).__name__
    return answer[9:12].decode()


async def round_of(address: str) -> Counter[str]:
    """Ask all at once."""
    paths = (ASKED[number % len(ASKED)] for number in range(REQUESTS))
    return Counter(await asyncio.gather(*(ask(address, path) for path in paths)))


def memory(process: int) -> float:
    """Return the memory that a process holds, in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def main() -> None:
    """Serve, ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="a run, a checkpoint or an exported folder")
    words = [sys.executable, "-m", "lightning_gan", "explore", parser.parse_args().path]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().split()[1]).netloc
        print(f"before: {memory(process.pid):.0f} MiB\n")
        print("| round | answers | seconds | then | MiB |\n| --- | --- | --- | --- | --- |")
        for number in range(1, ROUNDS + 1):
            start = time.perf_counter()
            found = asyncio.run(round_of(address))
            seconds = time.perf_counter() - start
            then = asyncio.run(ask(address, ASKED[0]))
            answers = ", ".join(f"{count} x {status}" for status, count in sorted(found.items()))
            held = memory(process.pid)
            print(f"| {number} | {answers} | {seconds:.1f} | {then} | {held:.0f} |", flush=True)
        start = time.perf_counter()
        process.send_signal(signal.SIGINT)
        print(f"\nCtrl-C: exit code {process.wait()} after {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
