#!/usr/bin/env python3
"""What recording costs the system that onair replaces: JPEG -> cv2.imdecode -> cv2.VideoWriter('mp4v', 30 fps).

Prints one JSON object. CPU time is that of the whole process over the decode and write calls and the closing of the
file, all threads counted (`time.process_time`); OpenCV's own threads are set to one so that wall time is one stream's.
Reading the JPEGs from disk is not counted. The first frames are encoded once before, to warm up.

    python bench/peers/opencv_record.py --repeat 10                     # generated 640x480 frames
    python bench/peers/opencv_record.py --frames-dir frames --repeat 3  # a folder of .jpg, all of one size
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

# Before OpenCV is imported: FFmpeg's complaint about a codec that is not built in is our answer, not an error.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

FPS = 30
WARM_UP = 15


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU cost of recording JPEG frames with OpenCV.")
    parser.add_argument("--frames-dir", type=Path, metavar="DIR", help="folder of .jpg files; generated if not given")
    parser.add_argument("--frames", type=int, default=90, metavar="N", help="how many to generate (%(default)s)")
    parser.add_argument(
        "--repeat", type=int, default=10, metavar="N", help="times the frames are recorded (%(default)s)"
    )
    parser.add_argument(
        "--live",
        type=int,
        default=0,
        metavar="N",
        help="record as many streams at once, a thread and a file each, frames at %d a second; 0: one after another as fast as "
        "it goes (%%(default)s)" % FPS,
    )
    parser.add_argument("--codec", default="mp4v", help="four characters (%(default)s)")
    options = parser.parse_args()

    cv2.setNumThreads(1)
    frames = generated(options.frames) if options.frames_dir is None else read(options.frames_dir)
    if not frames:
        print("no frames", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        if options.live:
            result = live(frames, options.repeat, options.codec, Path(folder), options.live)
        else:
            result = record(frames, options.repeat, options.codec, Path(folder))
        avc1 = record(frames[:WARM_UP], 1, "avc1", Path(folder))
    if result is None:
        print(f"codec {options.codec} is not available in this OpenCV", file=sys.stderr)
        return 1
    result["avc1_available"] = avc1 is not None
    result["opencv"] = cv2.__version__
    print(json.dumps(result))
    return 0


def record(frames: List[bytes], repeat: int, codec: str, folder: Path) -> Optional[Dict[str, Any]]:
    """Times of decoding and writing `frames` `repeat` times into one file; None if the codec cannot be opened."""
    height, width = decode(frames[0]).shape[:2]
    path = folder / f"{codec}.mp4"

    def open_writer() -> cv2.VideoWriter:
        return cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), FPS, (width, height))

    warm = open_writer()
    if not warm.isOpened():
        return None
    for jpeg in frames[:WARM_UP]:
        warm.write(decode(jpeg))
    warm.release()

    writer = open_writer()
    wall, cpu = time.perf_counter(), time.process_time()
    decode_cpu = 0.0
    for _ in range(repeat):
        for jpeg in frames:
            began = time.thread_time()
            picture = decode(jpeg)
            decode_cpu += time.thread_time() - began
            writer.write(picture)
    writer.release()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu

    count = repeat * len(frames)
    written = path.stat().st_size
    if count_frames(path) != count:
        raise RuntimeError(f"{path.name}: not all {count} frames are in the file")
    return {
        "frames": count,
        "width": width,
        "height": height,
        "jpeg_bytes_mean": round(sum(map(len, frames)) / len(frames)),
        "cpu_ms_per_frame": round(cpu * 1000 / count, 3),
        "decode_cpu_ms_per_frame": round(decode_cpu * 1000 / count, 3),
        "wall_ms_per_frame": round(wall * 1000 / count, 3),
        "codec": codec,
        "file_bytes_per_frame": round(written / count),
    }


def live(frames: List[bytes], repeat: int, codec: str, folder: Path, streams: int) -> Optional[Dict[str, Any]]:
    """Times of `streams` recordings at once at the rate of their frames, as a server has them; None as `record`."""
    if record(frames[:WARM_UP], 1, codec, folder) is None:
        return None
    count = repeat * len(frames)
    paths = [folder / f"live{stream}.mp4" for stream in range(streams)]
    began, cpu = time.monotonic(), time.process_time()

    def run(stream: int) -> None:
        height, width = decode(frames[0]).shape[:2]
        writer = cv2.VideoWriter(str(paths[stream]), cv2.VideoWriter_fourcc(*codec), FPS, (width, height))
        for number in range(count):
            due = began + (number + stream / streams) / FPS
            time.sleep(max(0.0, due - time.monotonic()))
            writer.write(decode(frames[number % len(frames)]))
        writer.release()

    threads = [threading.Thread(target=run, args=(stream,)) for stream in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu = time.process_time() - cpu
    for path in paths:
        if count_frames(path) != count:
            raise RuntimeError(f"{path.name}: not all {count} frames are in the file")
    return {
        "frames": streams * count,
        "streams": streams,
        "cpu_ms_per_frame": round(cpu * 1000 / (streams * count), 3),
        "codec": codec,
        "file_bytes_per_frame": round(sum(path.stat().st_size for path in paths) / (streams * count)),
    }


def decode(jpeg: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def count_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return count


def read(folder: Path) -> List[bytes]:
    """The JPEGs of a folder by name; those of another size than the first are left out, and told."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    frames: List[bytes] = []
    shape = None
    for path in files:
        jpeg = path.read_bytes()
        picture = decode(jpeg)
        if picture is None:
            print(f"{path.name}: not a picture, left out", file=sys.stderr)
            continue
        shape = shape or picture.shape
        if picture.shape == shape:
            frames.append(jpeg)
        else:
            print(f"{path.name}: another size, left out", file=sys.stderr)
    return frames


def generated(count: int) -> List[bytes]:
    """640x480 at quality 85: a gradient, a moving disc, a frame number and a little noise, the same on every run."""
    noise = np.random.default_rng(1)
    rows, columns = np.mgrid[0:480, 0:640]
    ground = np.dstack((columns * 255 // 640, rows * 255 // 480, (rows + columns) * 255 // 1120)).astype(np.int16)
    frames = []
    for number in range(count):
        grain = noise.integers(-6, 7, ground.shape, dtype=np.int16)
        picture = np.clip(ground + grain, 0, 255).astype(np.uint8)
        cv2.circle(picture, (40 + number * 6 % 560, 240 + int(120 * np.sin(number / 10))), 40, (40, 220, 240), -1)
        cv2.putText(picture, f"{number:05d}", (20, 460), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 255, 255), 3)
        done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        assert done
        frames.append(jpeg.tobytes())
    return frames


if __name__ == "__main__":
    sys.exit(main())
