#!/usr/bin/env python3
"""What a picture from an HLS playlist costs others: processor time of every way, user and system, all threads.

Ways:
    fresh   a new Python process for each picture: cv2.VideoCapture(playlist), one read (what onair replaces does)
    warm    the same, in one process
    ffmpeg  a new `ffmpeg -skip_frame nokey -i playlist -frames:v 1 -f null -` for each picture

Usage:
    python bench/peers/capture_cv2.py fresh http://127.0.0.1:4300/hls/sim_0001/720p30.m3u8 --captures 12

Prints one JSON object: the median over the captures. The warm way leaves its first picture out.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys


def cpu(who: int) -> float:
    """Milliseconds of processor time."""
    usage = resource.getrusage(who)
    return (usage.ru_utime + usage.ru_stime) * 1000


def read_one(url: str) -> None:
    import cv2

    capture = cv2.VideoCapture(url)
    whole, picture = capture.read()
    capture.release()
    if not whole or picture.shape[:2] != (720, 1280):
        raise SystemExit(f"no picture from {url}")


def child(command: list[str]) -> float:
    before = cpu(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return cpu(resource.RUSAGE_CHILDREN) - before


def warm(url: str) -> float:
    before = cpu(resource.RUSAGE_SELF)
    read_one(url)
    return cpu(resource.RUSAGE_SELF) - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=["fresh", "warm", "ffmpeg", "once"])
    parser.add_argument("url")
    parser.add_argument("--captures", type=int, default=12)
    args = parser.parse_args()
    if args.way == "once":
        read_one(args.url)
        return
    if args.way == "warm":
        costs = [warm(args.url) for _ in range(args.captures + 1)][1:]
    else:
        ffmpeg = ["ffmpeg", "-v", "error", "-skip_frame", "nokey", "-i", args.url, "-frames:v", "1", "-f", "null", "-"]
        command = [sys.executable, __file__, "once", args.url] if args.way == "fresh" else ffmpeg
        costs = [child(command) for _ in range(args.captures)]
    print(json.dumps({"way": args.way, "captures": len(costs), "cpu_ms_per_capture": statistics.median(costs)}))


if __name__ == "__main__":
    main()
