#!/usr/bin/env python3
"""Publishes a webcam, or a video file, to an onair server.

python client/examples/webcam_publisher.py
python client/examples/webcam_publisher.py --server http://localhost:5000 --stream my_camera --camera 0 --fps 30
python client/examples/webcam_publisher.py --file clip.mp4 --loop

Then open http://localhost:5000/stream/webcam in a browser. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import glob
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, Optional, Sequence, TextIO, Union

# So that it runs from a checkout without being installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from client.publisher import Stats, StreamPublisher

# A camera may miss a picture now and then; after this many in a row it is gone.
MISSES_IN_A_ROW = 50
# Seconds between status lines: on a terminal, where the line is rewritten, and in a file or pipe.
STATUS_SECONDS = (0.5, 5.0)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs until the video ends or the user does; answers the exit code."""
    options = arguments().parse_args(argv)
    status = StatusLine(sys.stderr)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=[status.log_handler()],
    )
    if not options.verbose:
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        # OpenCV's own warnings come before ours and say less. Set before it is imported.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        import cv2  # noqa: PLC0415 - after the line above
    except ImportError:
        return fail("OpenCV is missing: pip install -r client/requirements.txt")

    try:
        publisher = StreamPublisher(
            options.server,
            options.stream,
            quality=options.quality,
            max_fps=options.fps,
            mode=options.mode,
            token=options.token or os.environ.get("ONAIR_TOKEN"),
        )
    except ValueError as error:
        return fail(str(error))

    signal.signal(signal.SIGTERM, interrupt)
    try:
        source = open_file(cv2, options) if options.file else open_camera(cv2, options)
    except OSError as error:
        return fail(str(error))
    width, height = (int(source.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    what = options.file or f"camera {options.camera}"
    logging.info("%s, %dx%d -> %s/stream/%s", what, width, height, options.server.rstrip("/"), options.stream)

    code = 0
    publisher.start()
    try:
        code = play_file(cv2, source, publisher, status, options) if options.file else film(source, publisher, status)
    except KeyboardInterrupt:
        pass
    finally:
        # A second Ctrl-C while the last frames leave would show a trace and help nobody.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        publisher.stop(drain=publisher.get_stats()["connected"], timeout=2.0)
        source.release()
        status.finish(publisher.get_stats())
    return code


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Publishes a webcam, or a video file, to an onair server.")
    add = parser.add_argument
    add("--server", default="http://localhost:5000", help="address of the server (%(default)s)")
    add("--stream", default="webcam", help="name of the stream: letters, digits, _ and - (%(default)s)")
    add("--camera", default="0", help="number or device path of the camera (%(default)s)")
    add("--file", metavar="VIDEO", help="a video file instead of a camera, at its own speed")
    add("--loop", action="store_true", help="begin the file again at its end")
    add("--quality", type=int, default=85, metavar="1-100", help="JPEG quality at most (%(default)s)")
    add("--fps", type=float, default=30, help="frames per second at most (%(default)s)")
    add("--width", type=int, help="width to ask of the camera")
    add("--height", type=int, help="height to ask of the camera")
    add("--mode", choices=("post", "stream"), default="post", help="a request per frame, or one that stays open (post)")
    # The variable is read later: as a default the help would print the secret.
    add("--token", help="the server's token (or set the variable ONAIR_TOKEN)")
    add("--verbose", action="store_true", help="say more")
    return parser


def open_camera(cv2: Any, options: argparse.Namespace) -> Any:
    """The opened camera, having given a picture; OSError that says what to look at otherwise."""
    camera: Union[int, str] = int(options.camera) if options.camera.isdigit() else options.camera
    source = cv2.VideoCapture(camera)
    wishes = (
        (cv2.CAP_PROP_FRAME_WIDTH, options.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, options.height),
        (cv2.CAP_PROP_FPS, options.fps),
    )
    for wish, value in wishes:
        if value:
            source.set(wish, value)
    if source.isOpened() and source.read()[0]:
        return source
    source.release()
    message = f"camera {options.camera} cannot be opened."
    if sys.platform.startswith("linux"):
        present = sorted(glob.glob("/dev/video*"))
        message += f" Present: {', '.join(present) or 'no /dev/video* at all'}."
    raise OSError(message + " Is it plugged in, free (one program at a time), and allowed (on Linux: group video)?")


def open_file(cv2: Any, options: argparse.Namespace) -> Any:
    if not Path(options.file).is_file():
        raise OSError(f"{options.file}: no such file")
    source = cv2.VideoCapture(options.file)
    if not source.isOpened():
        raise OSError(f"{options.file}: not a video that OpenCV can read")
    return source


def film(source: Any, publisher: StreamPublisher, status: StatusLine) -> int:
    """Publishes what the camera gives until it gives no more; the camera sets the pace."""
    misses = 0
    while misses < MISSES_IN_A_ROW:
        good, frame = source.read()
        if good:
            misses = 0
            publisher.publish_frame(frame)
        else:
            misses += 1
            time.sleep(0.02)
        status.show(publisher.get_stats())
    return fail("the camera gives no pictures any more")


def play_file(cv2: Any, source: Any, publisher: StreamPublisher, status: StatusLine, options: Any) -> int:
    """Publishes a file at its own speed, once or for ever."""
    fps = source.get(cv2.CAP_PROP_FPS)
    interval = 1 / (fps if 0 < fps <= 1000 else 30)
    due = time.monotonic()
    shown = 0
    while True:
        good, frame = source.read()
        if not good:
            if not shown:
                return fail(f"{options.file}: no picture in it")
            if not options.loop:
                return 0
            source.set(cv2.CAP_PROP_POS_FRAMES, 0)
            shown = 0
            continue
        shown += 1
        time.sleep(max(0.0, due - time.monotonic()))
        # From the due time, not from now, so that the speed is right on average; a stall is not caught up with.
        due = max(due, time.monotonic() - 1.0) + interval
        publisher.publish_frame(frame)
        status.show(publisher.get_stats())


class StatusLine:
    """One line that is rewritten on a terminal; plain lines, and few, anywhere else."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._next = time.monotonic() + STATUS_SECONDS[0]
        self._on_screen = False

    def show(self, stats: Stats) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + STATUS_SECONDS[0 if self._live else 1]
        self._write(describe(stats))

    def finish(self, stats: Stats) -> None:
        self.clear()
        self._out.write(f"sent {stats['sent']} frames, dropped {stats['dropped']}, errors {stats['errors']}\n")
        self._out.flush()

    def clear(self) -> None:
        """Makes room for a whole line of something else."""
        if self._on_screen:
            self._out.write("\r\x1b[K")
            self._on_screen = False

    def log_handler(self) -> logging.Handler:
        line = self

        class Handler(logging.StreamHandler):  # type: ignore[type-arg]
            def emit(self, record: logging.LogRecord) -> None:
                line.clear()
                super().emit(record)

        return Handler(self._out)

    def _write(self, text: str) -> None:
        if not self._live:
            self._out.write(text + "\n")
        else:
            try:
                columns = os.get_terminal_size(self._out.fileno()).columns or 80
            except OSError:
                columns = 80
            self._out.write("\r\x1b[K" + text[: max(20, columns - 1)])
            self._on_screen = True
        self._out.flush()


def describe(stats: Stats) -> str:
    if not stats["connected"]:
        return f"not connected: {stats['last_error'] or 'connecting'}"
    return (
        f"{stats['fps']:.1f} fps  quality {stats['quality']}  {stats['round_trip_ms']:.0f} ms  "
        f"sent {stats['sent']}  dropped {stats['dropped']}  errors {stats['errors']}"
    )


def interrupt(_number: int, _frame: Optional[FrameType]) -> None:
    """A service manager's stop is as clean as Ctrl-C."""
    raise KeyboardInterrupt


def fail(message: str) -> int:
    logging.error("%s", message)
    return 1


if __name__ == "__main__":
    sys.exit(main())
