"""Runs a published sample as it stands, where there is no camera and port 5000 may be taken.

    run.py generic SAMPLE VIDEO           runs it; `cv2.VideoCapture(0)` plays VIDEO at 15 frames a second
    run.py custom  SAMPLE VIDEO STREAM    calls its `publish_frame` with each frame of VIDEO
    run.py capture SAMPLE COUNT           reads COUNT frames of the expression SAMPLE, a `cv2.VideoCapture(…)`

`localhost:5000` leads to the port in the variable ONAIR_PORT. Nothing in a sample is changed. Prints JSON; `capture`
writes the frames' luma instead.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import cv2

PORT = int(os.environ["ONAIR_PORT"])
real_getaddrinfo = socket.getaddrinfo
RealCapture = cv2.VideoCapture


def getaddrinfo(host, port, *more, **named):
    if (host, port) == ("localhost", 5000):
        host, port = "127.0.0.1", PORT
    return real_getaddrinfo(host, port, *more, **named)


socket.getaddrinfo = getaddrinfo


class Unplugged(Exception):
    """The camera is gone, which no sample expects."""


class Camera:
    """A camera that shows a video once, at its own pace."""

    def __init__(self, video):
        self._video = RealCapture(video)

    def read(self):
        time.sleep(1 / 15)
        good, frame = self._video.read()
        if not good:
            raise Unplugged
        return good, frame

    def release(self):
        self._video.release()


def capture_for(camera):
    def capture(source, *more):
        if source == 0 and camera:
            return Camera(camera)
        return RealCapture(source.replace("localhost:5000", f"127.0.0.1:{PORT}"), *more)

    return capture


def frames(video):
    source = RealCapture(video)
    while True:
        good, frame = source.read()
        if not good:
            return
        yield frame


def generic(sample, video):
    cv2.VideoCapture = capture_for(video)
    names = {}
    try:
        exec(compile(Path(sample).read_text(), sample, "exec"), names)
    except Unplugged:
        pass
    names["publisher"].stop(drain=True)
    print(json.dumps(names["publisher"].get_stats()))


def custom(sample, video, stream):
    names = {}
    exec(compile(Path(sample).read_text(), sample, "exec"), names)
    print(json.dumps([names["publish_frame"](stream, frame) for frame in frames(video)]))


def capture(sample, count):
    cv2.VideoCapture = capture_for(None)
    source = eval(sample)
    for _ in range(int(count)):
        good, frame = source.read()
        if not good:
            sys.exit(f"the capture gives no frame (open: {source.isOpened()})")
        sys.stdout.buffer.write(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).tobytes())
    source.release()


{"generic": generic, "custom": custom, "capture": capture}[sys.argv[1]](*sys.argv[2:])
