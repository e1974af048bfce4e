"""What a capture loop can rely on, against a real HTTP server in this process."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from client.pacing import Backoff, Meter, Pacer, RateControl
from client.publisher import (
    AuthError,
    FrameRefused,
    NameTaken,
    PublishError,
    ServerBusy,
    ServerUnreachable,
    StreamPublisher,
)
from client.tests.server import Answer, Server
from client.transport import _retry_after

ROOT = Path(__file__).resolve().parents[2]
MODES = ["post", "stream"]


def jpeg(number: int) -> bytes:
    """Not a picture, but what tells a JPEG from other bytes, and which one it is."""
    return b"\xff\xd8" + f"{number:04d}".encode() + b"\r\n--frame\r\n\xff\xd9"


@pytest.fixture
def server() -> Iterator[Server]:
    it = Server()
    yield it
    it.close()


@pytest.fixture
def publish(server: Server) -> Iterator[Any]:
    """Makes started publishers that are stopped at the end of the test."""
    made: List[StreamPublisher] = []

    def make(start: bool = True, **options: Any) -> StreamPublisher:
        settings = {"max_fps": 1e6, "reconnect_delay": (0.01, 0.05), "queue_size": 64, **options}
        publisher = StreamPublisher(settings.pop("server_url", server.url), "cam", **settings)
        made.append(publisher)
        if start:
            publisher.start()
        return publisher

    yield make
    server.gate.set()
    for publisher in made:
        publisher.stop(timeout=2)


def wait(publisher: StreamPublisher, condition: Any) -> None:
    assert publisher.wait_for(condition, 10), publisher.get_stats()


# Delivery


@pytest.mark.parametrize("mode", MODES)
def test_frames_arrive_whole_in_order_on_one_connection(server: Server, publish: Any, mode: str) -> None:
    publisher = publish(mode=mode)
    for number in range(50):
        assert publisher.publish_frame(jpeg(number))
    server.wait(lambda s: len(s.frames) == 50)
    assert [frame.data for frame in server.frames] == [jpeg(number) for number in range(50)]
    assert len({frame.connection for frame in server.frames}) == 1
    publisher.stop(drain=True)
    stats = publisher.get_stats()
    assert (stats["sent"], stats["dropped"], stats["errors"], stats["last_error"]) == (50, 0, 0, None)
    assert stats["bytes_sent"] == sum(len(jpeg(number)) for number in range(50))


def test_stream_mode_is_one_request_with_framed_parts_and_a_proper_end(server: Server, publish: Any) -> None:
    # The framing itself (boundary, Content-Length, closing boundary, last chunk) is asserted by the server.
    publisher = publish(mode="stream")
    for number in range(5):
        publisher.publish_frame(jpeg(number))
    server.wait(lambda s: len(s.frames) == 5)
    publisher.stop(drain=True)
    server.wait(lambda s: s.ended == 1)
    assert server.requests == 1
    assert server.headers[0]["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"


def test_frames_refused_within_a_stream_are_told_at_its_end(
    server: Server, publish: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda _request: Answer(refused=2)
    publisher = publish(mode="stream")
    publisher.publish_frame(jpeg(0))
    publisher.stop(drain=True)
    assert "refused 2 of the frames" in caplog.text


def test_a_raw_frame_is_encoded_and_copied(server: Server, publish: Any) -> None:
    cv2 = pytest.importorskip("cv2")
    numpy = pytest.importorskip("numpy")
    server.gate.clear()
    publisher = publish(quality=90)
    frame = numpy.full((48, 64, 3), 200, numpy.uint8)
    publisher.publish_frame(frame)
    frame[:] = 0  # the capture loop reuses its buffer
    server.gate.set()
    server.wait(lambda s: len(s.frames) == 1)
    seen = cv2.imdecode(numpy.frombuffer(server.frames[0].data, numpy.uint8), cv2.IMREAD_COLOR)
    assert seen.shape == (48, 64, 3)
    assert abs(int(seen.mean()) - 200) <= 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (datetime(2026, 1, 21, 10, 30, 0, 123456, timezone.utc), "2026-01-21T10:30:00.123Z"),
        (0.0, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_each_frame_carries_its_capture_time(server: Server, publish: Any, mode: str, given: Any, sent: str) -> None:
    publish(mode=mode).publish_frame(jpeg(0), captured_at=given)
    server.wait(lambda s: len(s.frames) == 1)
    assert server.frames[0].timestamp == sent


def test_the_capture_time_is_when_it_was_queued_not_when_it_was_sent(server: Server, publish: Any) -> None:
    publisher = publish(start=False)
    before = time.time()
    publisher.publish_frame(jpeg(0))
    after = time.time()
    publisher.start()
    server.wait(lambda s: len(s.frames) == 1)
    stamp = server.frames[0].timestamp
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    seconds = datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    assert before - 0.001 <= seconds <= after


@pytest.mark.parametrize("mode", MODES)
def test_the_token_is_sent_as_bearer(server: Server, publish: Any, mode: str) -> None:
    publish(mode=mode, token="s3cret").publish_frame(jpeg(0))
    server.wait(lambda s: len(s.frames) == 1)
    assert server.headers[0]["Authorization"] == "Bearer s3cret"


def test_a_path_in_the_server_url_is_kept(server: Server, publish: Any) -> None:
    assert publish(server_url=f"{server.url}/video/")._target.path == "/video/publish/cam"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate for 127.0.0.1 in one file; made by the openssl command."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    what = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    command = ["openssl", *what.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path)]
    made = subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


@pytest.mark.parametrize("mode", MODES)
def test_tls_with_a_private_certificate(
    publish: Any, mode: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # TLS 1.3 sends session tickets after the handshake, which must not be taken for an answer; and what the caller says
    # of certificates counts for more than the environment.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    server = Server(certificate=certificate)
    try:
        publisher = publish(server_url=server.url, mode=mode, verify=str(certificate))
        for number in range(5):
            publisher.publish_frame(jpeg(number))
        server.wait(lambda s: len(s.frames) == 5)
        publisher.stop(drain=True)
        stats = publisher.get_stats()
        assert (stats["sent"], stats["errors"], server.requests) == (5, 0, 5 if mode == "post" else 1)
    finally:
        server.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_certificate_that_is_not_trusted_is_told(publish: Any, mode: str, certificate: Path) -> None:
    server = Server(certificate=certificate)
    try:
        publisher = publish(server_url=server.url, mode=mode)
        publisher.publish_frame(jpeg(0))
        wait(publisher, lambda s: s["errors"] >= 1)
        assert "CERTIFICATE_VERIFY_FAILED" in str(publisher.last_exception)
    finally:
        server.close()


# The queue


def test_a_full_queue_drops_the_oldest_and_counts_it(server: Server, publish: Any) -> None:
    server.gate.clear()
    publisher = publish(queue_size=3)
    publisher.publish_frame(jpeg(0))
    server.wait(lambda s: s.requests == 1)  # frame 0 is on its way, the queue is empty
    for number in range(1, 11):
        assert publisher.publish_frame(jpeg(number))
    stats = publisher.get_stats()
    assert (stats["queue_length"], stats["dropped"]) == (3, 7)
    server.gate.set()
    server.wait(lambda s: len(s.frames) == 4)
    assert [frame.data for frame in server.frames] == [jpeg(number) for number in (0, 8, 9, 10)]


def test_stop_with_drain_sends_what_is_queued(server: Server, publish: Any) -> None:
    publisher = publish(start=False)
    for number in range(20):
        publisher.publish_frame(jpeg(number))
    publisher.start()
    publisher.stop(drain=True)
    assert len(server.frames) == 20
    assert publisher.get_stats()["dropped"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_drain_ends_in_time_when_the_server_is_away(publish: Any, mode: str) -> None:
    gone = Server()
    gone.close()
    publisher = publish(server_url=gone.url, mode=mode)
    for number in range(3):
        publisher.publish_frame(jpeg(number))
    began = time.monotonic()
    publisher.stop(drain=True, timeout=0.3)
    assert time.monotonic() - began < 2
    assert publisher.get_stats()["dropped"] == 3


def test_stop_without_drain_drops_the_queue_and_counts_it(server: Server, publish: Any) -> None:
    server.gate.clear()
    publisher = publish()
    for number in range(4):
        publisher.publish_frame(jpeg(number))
    server.wait(lambda s: s.requests == 1)
    stopping = threading.Thread(target=publisher.stop)
    stopping.start()
    wait(publisher, lambda _s: not publisher.publish_frame(b""))  # stop has been heard
    server.gate.set()
    stopping.join(5)
    stats = publisher.get_stats()
    assert (len(server.frames), stats["sent"], stats["dropped"]) == (1, 1, 3)
    assert not publisher.publish_frame(jpeg(9))


def test_the_context_manager_starts_and_drains(server: Server) -> None:
    with StreamPublisher(server.url, "cam") as publisher:
        publisher.publish_frame(jpeg(0))
    assert len(server.frames) == 1


def test_it_can_be_started_again(server: Server, publish: Any) -> None:
    publisher = publish()
    publisher.start()  # twice is once
    publisher.publish_frame(jpeg(0))
    publisher.stop(drain=True)
    publisher.start()
    publisher.publish_frame(jpeg(1))
    server.wait(lambda s: len(s.frames) == 2)


# Trouble


@pytest.mark.parametrize("mode", MODES)
def test_it_reconnects_when_the_server_comes_back(
    server: Server, publish: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "onair.publisher")
    publisher = publish(mode=mode)
    number = 0
    while not publisher.wait_for(lambda s: s["connected"], 0.02):
        publisher.publish_frame(jpeg(number))
        number += 1
    server.close()
    while not publisher.wait_for(lambda s: not s["connected"], 0.02):
        publisher.publish_frame(jpeg(number))
        number += 1
    assert isinstance(publisher.last_exception, ServerUnreachable)
    again = Server(server.port)
    try:
        while not publisher.wait_for(lambda s: s["connected"], 0.02):
            publisher.publish_frame(jpeg(number))
            number += 1
        numbers = [int(frame.data[2:6]) for frame in again.frames]
        assert numbers == sorted(set(numbers))
    finally:
        again.close()
    stats = publisher.get_stats()
    assert stats["reconnects"] == 1
    assert stats["last_error"] is None
    assert "cannot be reached" in caplog.text
    assert "sending again after" in caplog.text


def test_frames_of_an_outage_wait_in_the_queue_and_come_first(publish: Any) -> None:
    gone = Server()
    gone.close()
    publisher = publish(server_url=gone.url, queue_size=3)
    for number in range(3):
        publisher.publish_frame(jpeg(number))
    wait(publisher, lambda s: s["errors"] >= 2)
    back = Server(gone.port)
    try:
        back.wait(lambda s: len(s.frames) == 3)
        assert [frame.data for frame in back.frames] == [jpeg(0), jpeg(1), jpeg(2)]
    finally:
        back.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, AuthError, "is token= right"),
        (403, AuthError, "is token= right"),
        (404, PublishError, "is there an onair at"),
        (409, NameTaken, "not free for publishing"),
        (413, FrameRefused, "frame refused: 413"),
        (415, FrameRefused, "frame refused: 415"),
        (422, FrameRefused, "frame refused: 422"),
        (429, ServerBusy, "server busy: 429"),
        (500, PublishError, "500"),
        (503, ServerBusy, "server busy: 503"),
    ],
)
def test_every_refusal_is_told_and_survived(
    server: Server,
    publish: Any,
    mode: str,
    status: int,
    kind: type,
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: List[PublishError] = []
    server.answer = lambda request: Answer(status, detail="because of a test") if request <= 2 else Answer()
    publisher = publish(mode=mode, on_error=told.append)
    number = 0
    while len(server.frames) < 3:
        publisher.publish_frame(jpeg(number))
        number += 1
        publisher.wait_for(lambda _s: len(server.frames) >= 3, 0.02)
    # In stream mode the connection may break before the answer is seen, and then be refused again.
    first = next(error for error in told if error.status is not None)
    assert type(first) is kind
    assert first.status == status
    assert says in str(first)
    assert "because of a test" in str(first)
    assert str(first) in caplog.text
    wait(publisher, lambda s: s["errors"] >= 2)


def test_a_refused_frame_is_not_sent_again_and_the_next_one_is_at_once(server: Server, publish: Any) -> None:
    server.answer = lambda request: Answer(415) if request == 1 else Answer()
    publisher = publish(reconnect_delay=(60, 60))
    publisher.publish_frame(jpeg(0))
    publisher.publish_frame(jpeg(1))
    server.wait(lambda s: len(s.frames) == 1)
    assert server.frames[0].data == jpeg(1)
    wait(publisher, lambda s: (s["sent"], s["dropped"], s["errors"]) == (1, 1, 1))


def test_refusals_in_a_row_back_off(server: Server, publish: Any) -> None:
    server.answer = lambda _request: Answer(422)
    publisher = publish(reconnect_delay=(60, 60))
    for number in range(20):
        publisher.publish_frame(jpeg(number))
    wait(publisher, lambda s: s["errors"] == 5)
    assert not publisher.wait_for(lambda s: s["errors"] > 5, 0.2)
    assert server.requests == 5


def test_retry_after_is_respected(server: Server, publish: Any) -> None:
    server.answer = lambda request: Answer(503, {"Retry-After": "1"}) if request == 1 else Answer()
    publisher = publish()
    publisher.publish_frame(jpeg(0))
    wait(publisher, lambda s: s["errors"] == 1)
    refused = time.monotonic()
    assert publisher.last_exception.retry_after == 1
    server.wait(lambda s: len(s.frames) == 1)
    assert time.monotonic() - refused > 0.9
    assert server.frames[0].data == jpeg(0)


def test_stop_does_not_wait_for_a_long_retry_after(server: Server, publish: Any) -> None:
    server.answer = lambda _request: Answer(503, {"Retry-After": "3600"})
    publisher = publish()
    publisher.publish_frame(jpeg(0))
    wait(publisher, lambda s: s["errors"] == 1)
    assert publisher.last_exception.retry_after == 120
    began = time.monotonic()
    publisher.stop()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [(None, 0, 0), ("", 0, 0), ("soon", 0, 0), ("7", 7, 7), ("-1", 0, 0), ("99999", 120, 120)],
)
def test_retry_after_values(value: Any, least: float, most: float) -> None:
    assert least <= _retry_after(value) <= most


def test_retry_after_may_be_a_date() -> None:
    soon = datetime.fromtimestamp(time.time() + 30, timezone.utc)
    assert 25 < _retry_after(format_datetime(soon, usegmt=True)) <= 30


def test_a_redirect_is_not_followed_but_explained(server: Server, publish: Any) -> None:
    server.answer = lambda _request: Answer(301, {"Location": "https://video.example/publish/cam"})
    publisher = publish()
    publisher.publish_frame(jpeg(0))
    wait(publisher, lambda s: s["errors"] >= 1)
    assert "https://video.example/publish/cam" in str(publisher.last_exception)


@pytest.mark.parametrize("frame", [None, "text", 7, b"", b"\x89PNG\r\n", object()])
def test_what_is_not_a_frame_never_reaches_the_server_nor_the_caller(server: Server, publish: Any, frame: Any) -> None:
    publisher = publish()
    assert publisher.publish_frame(frame) is False
    publisher.publish_frame(jpeg(1))
    server.wait(lambda s: len(s.frames) == 1)
    assert publisher.get_stats()["errors"] == 1


def test_an_array_that_is_not_a_picture_is_told(publish: Any) -> None:
    numpy = pytest.importorskip("numpy")
    publisher = publish()
    for array in (numpy.zeros((4, 4, 3), numpy.float32), numpy.zeros(9, numpy.uint8), numpy.zeros((0, 4, 3), "uint8")):
        assert not publisher.publish_frame(array)
        assert "frame not usable" in publisher.get_stats()["last_error"]


def test_a_failing_on_error_changes_nothing(server: Server, publish: Any) -> None:
    def broken(_error: PublishError) -> None:
        raise RuntimeError("mine")

    server.answer = lambda request: Answer(500) if request == 1 else Answer()
    publish(on_error=broken).publish_frame(jpeg(0))
    server.wait(lambda s: len(s.frames) == 1)


def test_a_repeated_trouble_is_logged_once(publish: Any, caplog: pytest.LogCaptureFixture) -> None:
    gone = Server()
    gone.close()
    publisher = publish(server_url=gone.url)
    publisher.publish_frame(jpeg(0))
    wait(publisher, lambda s: s["errors"] >= 5)
    assert caplog.text.count("cannot be reached") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream_name": "a/b"},
        {"stream_name": "cam\n"},
        {"stream_name": ""},
        {"stream_name": "x" * 65},
        {"quality": 0},
        {"quality": 101},
        {"max_fps": 0},
        {"mode": "udp"},
        {"queue_size": 0},
        {"server_url": "localhost:5000"},
        {"server_url": "ftp://localhost"},
        {"server_url": "http://user:secret@localhost"},
        {"server_url": "http://localhost:99999"},
    ],
)
def test_arguments_that_can_never_work_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError) as raised:
        StreamPublisher(**{"server_url": "http://localhost:5000", "stream_name": "cam", **wrong})
    assert "secret" not in str(raised.value)


def test_opencv_is_not_imported_for_jpeg_bytes() -> None:
    code = "import sys, client.publisher; sys.exit('cv2' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# Rate and quality: pure, time is data


def test_a_slow_server_lowers_the_quality_and_a_quick_one_brings_it_back(server: Server, publish: Any) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("cv2")
    never = threading.Event()

    def slow(_request: int) -> Answer:
        never.wait(0.03)  # a server that needs 30 ms
        return Answer()

    server.answer = slow
    publisher = publish(queue_size=4, max_fps=200, quality=85)
    frame = numpy.zeros((8, 8, 3), numpy.uint8)
    while not publisher.wait_for(lambda s: s["quality"] < 85, 0.005):
        publisher.publish_frame(frame)
    assert publisher.get_stats()["round_trip_ms"] > 25
    lowered = publisher.get_stats()["quality"]
    server.answer = lambda _request: Answer()
    while not publisher.wait_for(lambda s: s["quality"] > lowered or s["target_fps"] == 200, 0.02):
        publisher.publish_frame(frame)


class Line:
    """A simulated camera, queue and network: what `RateControl` is told when sending takes `cost` seconds."""

    def __init__(self, control: RateControl, camera_fps: float = 30, queue_size: int = 8) -> None:
        self.control, self.camera, self.size = control, 1 / camera_fps, queue_size
        self.now = 0.0
        self.pacer = Pacer()
        self.queue: List[float] = []
        self.next_frame = 0.0
        control.connecting(0.0)

    def run(self, seconds: float, cost: Any, encodes: bool = True) -> None:
        end = self.now + seconds
        while self.now < end:
            self._film(self.now)
            if not self.queue:
                self.now = self.next_frame
                continue
            self.queue.pop(0)
            spent = cost(self.control.quality)
            self.now += spent
            self._film(self.now)
            self.control.observe(
                self.now, busy=spent, round_trip=spent, fill=len(self.queue) / self.size, encodes=encodes
            )

    def _film(self, until: float) -> None:
        while self.next_frame <= until:
            if self.pacer.admits(self.next_frame, self.control.fps):
                self.queue = [*self.queue, self.next_frame][-self.size :]
            self.next_frame += self.camera


def test_a_line_with_room_keeps_full_quality() -> None:
    control = RateControl(85, 30, 40, 1)
    Line(control).run(30, lambda _quality: 0.01)
    assert (control.quality, control.fps) == (85, 30)


def test_the_quality_goes_before_the_rate_and_the_rate_comes_back_before_the_quality() -> None:
    control = RateControl(85, 30, 40, 1)
    line = Line(control)
    # Bytes cost time: at quality 60 and below the line keeps up with 30 fps.
    line.run(30, lambda quality: 0.0005 * quality)
    assert control.quality < 70
    assert control.fps == 30
    # Now not even the lowest quality is enough.
    line.run(30, lambda _quality: 0.1)
    assert control.quality == 40
    assert 5 < control.fps < 10.5
    line.run(20, lambda _quality: 0.001)
    assert control.fps > 15
    line.run(120, lambda _quality: 0.001)
    assert (control.quality, control.fps) == (85, 30)


def test_ready_jpegs_lower_the_rate_at_once() -> None:
    control = RateControl(85, 30, 40, 1)
    Line(control).run(20, lambda _quality: 0.1, encodes=False)
    assert control.quality == 85
    assert control.fps < 10.5


def test_round_trips_that_grow_lower_the_quality_though_the_queue_is_short() -> None:
    control = RateControl(85, 2, 40, 1)
    line = Line(control, camera_fps=2)
    line.run(10, lambda _quality: 0.02)
    assert control.quality == 85
    line.run(10, lambda _quality: 0.3)
    assert control.quality < 85


def test_a_route_that_was_always_long_is_not_called_slow() -> None:
    control = RateControl(85, 2, 40, 1)
    Line(control, camera_fps=2).run(30, lambda _quality: 0.3)
    assert (control.quality, control.fps) == (85, 2)


def test_what_queued_up_while_the_server_was_away_is_not_pressure() -> None:
    control = RateControl(85, 30, 40, 1)
    control.connecting(100.0)
    for step in range(8):
        control.observe(100.1 + step / 100, busy=0.01, round_trip=0.01, fill=1 - step / 8, encodes=True)
    assert control.quality == 85


def test_a_frame_too_large_lowers_the_quality_for_good() -> None:
    control = RateControl(85, 30, 40, 1)
    control.too_large()
    Line(control).run(60, lambda _quality: 0.001)
    assert control.quality == 75


def test_a_climb_that_fails_is_tried_less_often() -> None:
    control = RateControl(85, 30, 40, 1)
    line = Line(control)
    line.run(20, lambda quality: 0.0005 * quality)
    changes = 0
    for _ in range(600):
        before = control.quality
        line.run(0.1, lambda quality: 0.015 if quality < 70 else 0.05)
        changes += control.quality != before
    assert changes < 30


@pytest.mark.parametrize(
    ("camera_fps", "jitter", "max_fps", "least", "most"),
    [
        (30, 0.0, 30, 299, 301),  # just the rate: nothing is lost
        (30, 0.012, 30, 296, 301),  # nor to jitter
        (60, 0.0, 30, 299, 302),
        (1000, 0.0, 30, 299, 302),
        (15, 0.0, 30, 149, 151),
        (30, 0.0, 1, 10, 12),
    ],
)
def test_the_pacer_holds_the_rate(camera_fps: float, jitter: float, max_fps: float, least: int, most: int) -> None:
    pacer = Pacer()
    times = [number / camera_fps + (jitter if number % 2 else 0) for number in range(int(10 * camera_fps))]
    assert least <= sum(pacer.admits(now, max_fps) for now in times) <= most


def test_back_off_doubles_with_jitter_between_its_bounds() -> None:
    backoff = Backoff(0.5, 8)
    steps = [0.5, 1, 2, 4, 8, 8, 8]
    for step in steps:
        assert max(0.5, step / 2) <= backoff.next() <= step
    backoff.reset()
    assert backoff.next() == 0.5


def test_the_meter_shows_a_stream_that_stopped() -> None:
    meter = Meter()
    for number in range(61):
        meter.add(number / 30)
    assert meter.rate(2.0) == pytest.approx(30, rel=0.05)
    assert meter.rate(3.0) < 20
    assert meter.rate(9.0) == 0


# The example


def test_the_webcam_example_publishes_a_file_and_ends(server: Server, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    numpy = pytest.importorskip("numpy")
    video = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for number in range(10):
        writer.write(numpy.full((48, 64, 3), number * 20, numpy.uint8))
    writer.release()
    script = ROOT / "client" / "examples" / "webcam_publisher.py"
    command = [sys.executable, str(script), "--server", server.url, "--stream", "v", "--file", str(video)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(server.frames) == 10
    assert "sent 10 frames, dropped 0, errors 0" in done.stderr
    assert "\r" not in done.stderr and "\x1b" not in done.stderr


def test_the_webcam_example_says_why_there_is_no_picture() -> None:
    pytest.importorskip("cv2")
    script = ROOT / "client" / "examples" / "webcam_publisher.py"
    command = [sys.executable, str(script), "--camera", "/dev/no-such-camera"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "camera /dev/no-such-camera cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr
