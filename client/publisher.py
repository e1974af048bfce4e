"""Publishes frames to an onair server from a thread of its own.

Owns the queue between a capture loop and the network. `publish_frame` never blocks, never raises and never waits for
the server: when the network is slower than the camera the oldest waiting frame is dropped and counted.

    publisher = StreamPublisher("http://localhost:5000", "my_stream", quality=85, max_fps=30)
    publisher.start()
    publisher.publish_frame(frame)     # a BGR numpy array, or the bytes of a JPEG
    publisher.stop()

Python 3.9 or newer and `requests`. OpenCV is imported at the first raw frame and not before.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import deque
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, Callable, Deque, NamedTuple, Optional, Tuple, Type, TypedDict, Union

from .pacing import Backoff, Meter, Pacer, RateControl
from .transport import (
    AuthError,
    FrameRefused,
    NameTaken,
    PostTransport,
    PublishError,
    ServerBusy,
    ServerUnreachable,
    StreamTransport,
    Target,
    Transport,
)

__all__ = [
    "AuthError",
    "FrameRefused",
    "NameTaken",
    "PublishError",
    "ServerBusy",
    "ServerUnreachable",
    "Stats",
    "StreamPublisher",
]

log = logging.getLogger("onair.publisher")

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MODES = ("post", "stream")
# Refusals in a row after which it is no longer this frame that is wrong, so that retries back off.
REFUSALS_IN_A_ROW = 5
# A failure that goes on is logged once in this time, with the number of times it happened.
REPEAT_LOG_SECONDS = 10.0


class StreamPublisher:
    """Sends frames to `POST {server_url}/publish/{stream_name}`.

    server_url   `http://host:port` or `https://…`, a path before `/publish` is kept.
    stream_name  `[A-Za-z0-9_-]`, 1 to 64 characters.
    quality      JPEG quality of raw frames, 1 to 100; the ceiling when `adaptive`.
    max_fps      frames over this rate are skipped, evenly.
    mode         "post": one request per frame on a connection kept alive, each answered.
                 "stream": one endless `multipart/x-mixed-replace` request; no round trip per frame, so it is the one
                 for a distant server, but a refusal is noticed some frames late, and proxy variables are not used.
    token        sent as `Authorization: Bearer …`.
    adaptive     lower the quality, then the rate, while the server or the network is slow; climb back after.
    queue_size   frames that may wait; when full, the oldest is dropped.
    verify       TLS: True, False, or the path of a CA bundle.
    reconnect_delay  shortest and longest pause between attempts, in seconds; doubled each time, with jitter, for ever.
    on_error     called with each `PublishError` on the publisher's thread.

    Raises ValueError for arguments that can never work. After that nothing is raised: see `get_stats`,
    `last_exception`, `on_error` and the logger `onair.publisher`. Safe to use from several threads.
    """

    def __init__(
        self,
        server_url: str,
        stream_name: str,
        quality: int = 85,
        max_fps: float = 30,
        *,
        mode: str = "post",
        token: Optional[str] = None,
        adaptive: bool = True,
        min_quality: int = 40,
        min_fps: float = 1.0,
        queue_size: int = 8,
        verify: Union[bool, str] = True,
        reconnect_delay: Tuple[float, float] = (0.5, 8.0),
        on_error: Optional[Callable[[PublishError], None]] = None,
    ) -> None:
        if not NAME.fullmatch(stream_name):
            raise ValueError(f"stream_name {stream_name!r}: letters, digits, _ and -, at most 64")
        if not 1 <= quality <= 100:
            raise ValueError(f"quality {quality}: a number from 1 to 100")
        if not max_fps > 0:
            raise ValueError(f"max_fps {max_fps}: a number above 0")
        if mode not in MODES:
            raise ValueError(f"mode {mode!r}: one of {', '.join(MODES)}")
        if queue_size < 1:
            raise ValueError(f"queue_size {queue_size}: at least 1")
        self._target = Target.parse(server_url, stream_name)
        self._mode = mode
        self._token = token
        self._verify = verify
        self._reconnect_delay = reconnect_delay
        self._on_error = on_error

        # Guards everything below, and is notified of every change of the queue, the counters and the stop request.
        self._changed = threading.Condition()
        self._queue: Deque[_Item] = deque()
        self._queue_size = queue_size
        floor = (min(min_quality, quality), min(min_fps, max_fps)) if adaptive else (quality, max_fps)
        self._control = RateControl(quality, max_fps, *floor)
        self._pacer = Pacer()
        self._meter = Meter()
        self._worker: Optional[threading.Thread] = None
        # None: run. A monotonic time: send what is queued until then, and end.
        self._stop_at: Optional[float] = None
        self._closed = False
        self._abort: Callable[[], None] = lambda: None
        self._connected = False
        self._ever_connected = False
        self._last_exception: Optional[PublishError] = None
        self._refusals = 0
        self._sent = self._dropped = self._skipped = self._errors = self._reconnects = self._bytes = 0
        self._failure_log = _FailureLog(stream_name)

    # For the capture loop

    def start(self) -> None:
        """Starts the sending thread. Does nothing if it runs already; may be called again after `stop`."""
        with self._changed:
            if self._worker is not None and self._worker.is_alive():
                if self._stop_at is None:
                    return
                raise RuntimeError("the publisher is still stopping")
            self._stop_at = None
            self._closed = False
            self._worker = threading.Thread(target=self._run, name=f"publish-{self._target.stream}", daemon=True)
            self._worker.start()

    def publish_frame(self, frame: Any, captured_at: Union[datetime, float, None] = None) -> bool:
        """Queues a frame and returns at once; False if it was not queued (too soon, not a frame, or stopped).

        frame: uint8 array (height, width) or (height, width, 1 or 3) in BGR order, copied here so that the caller may
        draw on it afterwards; or the bytes of a JPEG, sent as they are.
        captured_at: when the picture was taken (aware datetime or Unix seconds), now if not given.
        """
        with self._changed:
            if self._closed:
                return False
            if not self._pacer.admits(time.monotonic(), self._control.fps):
                self._skipped += 1
                return False
        try:
            item = _Item(_payload(frame), _unix_seconds(captured_at))
        except Exception as error:  # noqa: BLE001 - whatever came in, the capture loop goes on
            self._failed(PublishError(f"frame not usable: {error}"), lost=False)
            return False
        with self._changed:
            if len(self._queue) >= self._queue_size:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(item)
            self._changed.notify_all()
        return True

    def stop(self, drain: bool = False, timeout: float = 5.0) -> None:
        """Ends the sending thread and closes the connection.

        drain: first send what is queued, for at most `timeout` seconds, trying again if the server is away. What is
        left is counted as dropped. Returns after at most about `timeout` seconds and one more.
        """
        with self._changed:
            self._closed = True
            self._stop_at = time.monotonic() + (timeout if drain else 0.0)
            worker = self._worker
            self._changed.notify_all()
        if worker is not None and worker is not threading.current_thread():
            worker.join(timeout)
            if worker.is_alive():
                with self._changed:
                    abort = self._abort
                abort()
                worker.join(1.0)
            if worker.is_alive():
                log.warning("%s: the server does not answer; the last request is left behind", self._target.stream)
        with self._changed:
            self._dropped += len(self._queue)
            self._queue.clear()
            self._changed.notify_all()

    def get_stats(self) -> Stats:
        """The present counters and settings, taken at one moment."""
        with self._changed:
            error = self._last_exception
            return Stats(
                connected=self._connected,
                sent=self._sent,
                dropped=self._dropped,
                skipped=self._skipped,
                errors=self._errors,
                reconnects=self._reconnects,
                bytes_sent=self._bytes,
                fps=round(self._meter.rate(time.monotonic()), 1),
                target_fps=round(self._control.fps, 1),
                quality=self._control.quality,
                round_trip_ms=round(self._control.round_trip * 1000, 1),
                queue_length=len(self._queue),
                last_error=None if error is None else str(error),
            )

    def wait_for(self, condition: Callable[[Stats], bool], timeout: Optional[float] = None) -> bool:
        """Waits until `condition` holds of the stats; False if `timeout` seconds passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.get_stats()), timeout)

    @property
    def last_exception(self) -> Optional[PublishError]:
        """The trouble there is now, None while all is well."""
        with self._changed:
            return self._last_exception

    def __enter__(self) -> StreamPublisher:
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop(drain=error is None)

    # The sending thread: `_run` never gives up, `_run_once` gives up at the first trouble

    def _run(self) -> None:
        delay = Backoff(*self._reconnect_delay)
        while self._frame_is_waiting():
            try:
                self._run_once(delay)
            except PublishError as error:
                self._failed(error)
                self._pause(max(delay.next(), error.retry_after))
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the thread without a word
                log.exception("%s: unexpected", self._target.stream)
                self._failed(PublishError(f"unexpected: {error}"))
                self._pause(delay.next())
        with self._changed:
            self._connected = False
            self._changed.notify_all()

    def _run_once(self, delay: Backoff) -> None:
        connect: Type[Transport] = PostTransport if self._mode == "post" else StreamTransport
        transport = connect(self._target, self._token, self._verify)
        unconfirmed = _Sent()
        clean = False
        with self._changed:
            self._abort = transport.abort
            self._control.connecting(time.monotonic())
        try:
            while True:
                item = self._next()
                if item is None:
                    break
                unconfirmed = self._send(transport, item, unconfirmed, delay)
            clean = True
        finally:
            with self._changed:
                self._abort = lambda: None
            accepted = transport.close(clean)
            with self._changed:
                if accepted:
                    self._count(unconfirmed)
                else:
                    self._dropped += unconfirmed.frames

    def _send(self, transport: Transport, item: _Item, unconfirmed: _Sent, delay: Backoff) -> _Sent:
        """Encodes and sends one frame; answers what has been sent without the server having shown that it takes it."""
        began = time.monotonic()
        try:
            jpeg = item.payload if isinstance(item.payload, bytes) else _encode(item.payload, self._control.quality)
        except Exception as error:  # noqa: BLE001 - OpenCV missing or unwilling: this frame is lost, the thread lives
            self._refused(FrameRefused(f"frame not encoded: {error}"))
            return unconfirmed
        encoded = time.monotonic()
        try:
            transport.send(jpeg, _rfc3339(item.captured_at))
        except FrameRefused as error:
            if error.status == 413 and not isinstance(item.payload, bytes):
                with self._changed:
                    self._control.too_large()
            self._refused(error, at_once=not transport.survives_refusal)
            return unconfirmed
        except PublishError:
            self._put_back(item)
            raise
        now = time.monotonic()
        sent = _Sent(unconfirmed.frames + 1, unconfirmed.bytes + len(jpeg))
        if transport.confirmed:
            delay.reset()
            self._succeeded(now, sent)
            sent = _Sent()
        with self._changed:
            self._meter.add(now)
            self._control.observe(
                now,
                busy=now - began,
                round_trip=now - encoded,
                fill=len(self._queue) / self._queue_size,
                encodes=not isinstance(item.payload, bytes),
            )
            self._changed.notify_all()
        return sent

    def _succeeded(self, now: float, sent: _Sent) -> None:
        with self._changed:
            self._count(sent)
            self._refusals = 0
            if not self._connected:
                self._connected = True
                self._reconnects += self._ever_connected
                self._ever_connected = True
            self._last_exception = None
        self._failure_log.recovered(now)

    def _count(self, sent: _Sent) -> None:
        self._sent += sent.frames
        self._bytes += sent.bytes

    def _refused(self, error: FrameRefused, at_once: bool = False) -> None:
        """This frame is lost; after a row of them, or `at_once`, so is the connection."""
        with self._changed:
            self._refusals += 1
            enough = at_once or self._refusals >= REFUSALS_IN_A_ROW
            self._dropped += 1
        if enough:
            raise error
        self._failed(error, lost=False)

    def _failed(self, error: PublishError, lost: bool = True) -> None:
        """Makes the trouble known; `lost` unless the connection is as good as before."""
        with self._changed:
            self._errors += 1
            self._last_exception = error
            if lost:
                self._connected = False
            self._changed.notify_all()
        self._failure_log.failed(time.monotonic(), error)
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:  # noqa: BLE001 - the callback is not ours
                log.exception("%s: on_error failed", self._target.stream)

    # The queue, seen from the sending thread

    def _frame_is_waiting(self) -> bool:
        """Waits for a frame; False when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stop_at is not None)
            return bool(self._queue) and not self._gives_up()

    def _next(self) -> Optional[_Item]:
        with self._changed:
            return self._queue.popleft() if self._frame_is_waiting() else None

    def _put_back(self, item: _Item) -> None:
        """The frame in hand is the oldest: it goes first again, or is the one dropped if the queue has filled up."""
        with self._changed:
            if len(self._queue) < self._queue_size:
                self._queue.appendleft(item)
            else:
                self._dropped += 1

    def _gives_up(self) -> bool:
        return self._stop_at is not None and time.monotonic() >= self._stop_at

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._changed:
            while not self._gives_up():
                left = (end if self._stop_at is None else min(end, self._stop_at)) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)


class Stats(TypedDict):
    """What `get_stats` answers. Counters run since the publisher was made."""

    connected: bool  # the last frame sent reached the server
    sent: int  # frames taken by the server (stream mode: by the connection, once the server has not refused for 1 s)
    dropped: int  # frames lost: the queue was full, or the publisher stopped before they were sent
    skipped: int  # frames not queued because the source is faster than `target_fps`
    errors: int  # failed attempts of any kind, and frames that could not be used
    reconnects: int  # times the server was reached again after a failure
    bytes_sent: int  # JPEG bytes of the frames in `sent`
    fps: float  # frames sent per second over the last two seconds
    target_fps: float  # the rate allowed now: `max_fps`, or less while the network is slow
    quality: int  # JPEG quality used now
    round_trip_ms: float  # smoothed: post mode until the answer, stream mode until the connection took the frame
    queue_length: int
    last_error: Optional[str]  # None while all is well


class _Item(NamedTuple):
    payload: Any  # bytes of a JPEG, or an array
    captured_at: float  # Unix seconds


class _Sent(NamedTuple):
    frames: int = 0
    bytes: int = 0


class _FailureLog:
    """Says each new trouble at once, the same one every REPEAT_LOG_SECONDS, and its end."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._message: Optional[str] = None
        self._since = self._said = 0.0
        self._unsaid = 0

    def failed(self, now: float, error: PublishError) -> None:
        with self._lock:
            message = str(error)
            if self._message is None:
                self._since = now
            if message == self._message and now - self._said < REPEAT_LOG_SECONDS:
                self._unsaid += 1
                return
            again = f" ({self._unsaid} more times)" if self._unsaid else ""
            self._message, self._said, self._unsaid = message, now, 0
        level = logging.ERROR if isinstance(error, (AuthError, NameTaken)) else logging.WARNING
        log.log(level, "%s: %s%s", self._stream, message, again)

    def recovered(self, now: float) -> None:
        with self._lock:
            if self._message is None:
                return
            self._message, self._unsaid = None, 0
            lasted = now - self._since
        log.info("%s: sending again after %.1f s", self._stream, lasted)


def _payload(frame: Any) -> Any:
    """Bytes of a JPEG, or our own copy of an array of pixels."""
    if isinstance(frame, (bytes, bytearray, memoryview)):
        data = bytes(frame)
        if data[:2] != b"\xff\xd8":
            raise ValueError("the bytes are not a JPEG")
        return data
    shape = getattr(frame, "shape", None)
    if shape is None:
        raise TypeError(f"a numpy array or JPEG bytes, not {type(frame).__name__}")
    if (
        str(frame.dtype) != "uint8"
        or len(shape) not in (2, 3)
        or 0 in shape
        or (len(shape) == 3 and shape[2] not in (1, 3))
    ):
        raise ValueError(f"uint8 pixels, grey or BGR, not {frame.dtype} of shape {tuple(shape)}")
    return frame.copy()


def _encode(frame: Any, quality: int) -> bytes:
    try:
        import cv2  # noqa: PLC0415 - see the top: only for raw frames
    except ImportError as error:
        raise RuntimeError("raw frames need OpenCV: pip install opencv-python-headless") from error
    done, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode it")
    return bytes(jpeg.tobytes())


def _unix_seconds(when: Union[datetime, float, None]) -> float:
    if when is None:
        return time.time()
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError("captured_at: a datetime with a time zone")
        return when.timestamp()
    return float(when)


def _rfc3339(unix_seconds: float) -> str:
    when = datetime.fromtimestamp(unix_seconds, timezone.utc)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
