#!/usr/bin/env python3
"""The MJPEG server that onair replaces, built anew from its description, as the peer to measure against.

Not a copy: that program's source is not here. Each choice follows from a line of its README, or is the usual way of
such servers where it says nothing; where there was a doubt, the quicker way was taken.

- "app.py: Flask application", started with "python run_server.py": Flask's own server, `app.run(threaded=True)`,
  which is a thread per connection. The README's Dockerfile and systemd unit start it the same way; it names no other
  server.
- "stream_manager.py: Stream management": one StreamManager, one lock, and the latest frame per stream for all
  viewers.
- "max_buffer_frames: 30 (frame buffer size per stream)": a ring of the last 30 frames. It holds references, not
  copies.
- "POST /publish/<name>, multipart/form-data, field frame", "auto-create streams on first publish", "max_concurrent:
  50", "max_frame_size_mb: 10", names "validated to alphanumeric + underscore/dash only": checked as told.
- "no transcoding": the JPEG is neither decoded nor looked into.
- "GET /stream/<name>, multipart/x-mixed-replace; boundary=frame": a generator per viewer that yields `--frame` parts.
  The README does not say how it learns of a new frame. The usual way is taken: look 30 times a second (30 fps is the
  rate it speaks of throughout) and send when the frame's number has changed. So a 30 fps source is seen at a little
  under 30 fps.
- "viewer_count", "total_frames", "inactive_seconds": counted, and shown as its API does.
- "recordings/*.mp4": left out, in the peer's favour; `opencv_record.py` measures that by itself.
- The development server's request log is off unless `--request-log`, also in the peer's favour.

    python bench/peers/flask_mjpeg.py --port 5001
"""

from __future__ import annotations

import argparse
import logging
import re
import threading
import time
from collections import deque
from datetime import datetime, timezone
from typing import Any, Deque, Dict, Iterator, Optional, Tuple

from flask import Flask, Response, jsonify, request

NAME = re.compile(r"[A-Za-z0-9_-]+")
POLL_SECONDS = 1 / 30


class Stream:
    """One named picture; every field is guarded by the manager's lock."""

    def __init__(self, name: str, buffer_frames: int) -> None:
        self.name = name
        self.created_at = datetime.now(timezone.utc)
        self.began = self.last_frame = time.monotonic()
        self.frames: Deque[bytes] = deque(maxlen=buffer_frames)
        self.current: Optional[bytes] = None
        self.frame_id = 0
        self.viewers = 0
        self.deleted = False


class StreamManager:
    """All streams behind one lock."""

    def __init__(self, max_concurrent: int, buffer_frames: int) -> None:
        self._lock = threading.Lock()
        self._streams: Dict[str, Stream] = {}
        self._max_concurrent = max_concurrent
        self._buffer_frames = buffer_frames

    def publish(self, name: str, frame: bytes) -> bool:
        """False if this would be one stream too many."""
        with self._lock:
            stream = self._streams.get(name)
            if stream is None:
                if len(self._streams) >= self._max_concurrent:
                    return False
                stream = self._streams[name] = Stream(name, self._buffer_frames)
            stream.frames.append(frame)
            stream.current = frame
            stream.frame_id += 1
            stream.last_frame = time.monotonic()
            return True

    def join(self, name: str) -> Optional[Stream]:
        with self._lock:
            stream = self._streams.get(name)
            if stream is not None:
                stream.viewers += 1
            return stream

    def leave(self, stream: Stream) -> None:
        with self._lock:
            stream.viewers -= 1

    def latest(self, stream: Stream) -> Tuple[int, Optional[bytes], bool]:
        with self._lock:
            return stream.frame_id, stream.current, stream.deleted

    def delete(self, name: str) -> bool:
        with self._lock:
            stream = self._streams.pop(name, None)
            if stream is not None:
                stream.deleted = True
            return stream is not None

    def stats(self, name: str) -> Optional[Dict[str, Any]]:
        with self._lock:
            stream = self._streams.get(name)
            return None if stream is None else self._describe(stream)

    def all_stats(self) -> list[Dict[str, Any]]:
        with self._lock:
            return [self._describe(stream) for stream in self._streams.values()]

    def _describe(self, stream: Stream) -> Dict[str, Any]:
        now = time.monotonic()
        return {
            "name": stream.name,
            "created_at": stream.created_at.isoformat(),
            "uptime_seconds": int(now - stream.began),
            "inactive_seconds": round(now - stream.last_frame, 1),
            "total_frames": stream.frame_id,
            "viewer_count": stream.viewers,
            "buffer_size": len(stream.frames),
            "has_current_frame": stream.current is not None,
        }


def create_app(max_concurrent: int = 50, buffer_frames: int = 30, max_frame_size_mb: int = 10) -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = max_frame_size_mb * 1024 * 1024
    manager = StreamManager(max_concurrent, buffer_frames)

    @app.post("/publish/<name>")
    def publish(name: str) -> Any:
        if not NAME.fullmatch(name):
            return jsonify(error="invalid stream name"), 400
        upload = request.files.get("frame")
        if upload is None:
            return jsonify(error="no frame"), 400
        frame = upload.read()
        if not frame:
            return jsonify(error="empty frame"), 400
        if not manager.publish(name, frame):
            return jsonify(error="too many streams"), 503
        return jsonify(status="success", stream=name, frame_size=len(frame))

    @app.get("/stream/<name>")
    def view(name: str) -> Any:
        stream = manager.join(name)
        if stream is None:
            return jsonify(error="no such stream"), 404
        return Response(parts(manager, stream), mimetype="multipart/x-mixed-replace; boundary=frame")

    @app.get("/api/streams")
    def streams() -> Any:
        found = manager.all_stats()
        return jsonify(count=len(found), streams=found)

    @app.get("/api/streams/<name>/stats")
    def stats(name: str) -> Any:
        found = manager.stats(name)
        return (jsonify(error="no such stream"), 404) if found is None else jsonify(found)

    @app.delete("/api/streams/<name>")
    def delete(name: str) -> Any:
        if not manager.delete(name):
            return jsonify(error="no such stream"), 404
        return jsonify(status="success", message=f"Stream '{name}' deleted")

    @app.get("/health")
    def health() -> Any:
        return jsonify(status="healthy", active_streams=len(manager.all_stats()), max_streams=max_concurrent)

    return app


def parts(manager: StreamManager, stream: Stream) -> Iterator[bytes]:
    """What one viewer is sent, until it goes or the stream is deleted."""
    seen = 0
    try:
        while True:
            frame_id, frame, deleted = manager.latest(stream)
            if deleted:
                return
            if frame is not None and frame_id != seen:
                seen = frame_id
                yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + frame + b"\r\n"
            time.sleep(POLL_SECONDS)
    finally:
        manager.leave(stream)


def main() -> None:
    parser = argparse.ArgumentParser(description="The Flask MJPEG server that onair is measured against.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument("--request-log", action="store_true", help="log each request, as the development server does")
    options = parser.parse_args()
    if not options.request_log:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    create_app().run(host=options.host, port=options.port, threaded=True)


if __name__ == "__main__":
    main()
