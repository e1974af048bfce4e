"""Takes one frame at a time to the server, and turns each way that can fail into an exception that says what to do.

Used by `publisher` only. Knows HTTP; knows nothing of queues, rates and retries: the first trouble is raised.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import logging
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any, Dict, NamedTuple, Optional, Protocol, Union
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

log = logging.getLogger("onair.publisher")

BOUNDARY = "frame"
# How long the server may take to accept a connection, and to answer or to take the next bytes.
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
# Stream mode has no answer per frame: a server that has not refused after this time is taken to accept.
CONFIRM_SECONDS = 1.0
# How long the server may take to answer a stream that we ended.
FAREWELL_SECONDS = 2.0
# A server may ask for patience with Retry-After, but not for more than this.
MAX_RETRY_AFTER = 120.0


class PublishError(Exception):
    """A frame could not be delivered. `status` is the HTTP status if there was an answer."""

    def __init__(self, message: str, status: Optional[int] = None, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ServerUnreachable(PublishError):
    """No connection, or it was lost."""


class AuthError(PublishError):
    """401 or 403: the token is missing, wrong, or not for this stream."""


class NameTaken(PublishError):
    """409: the name belongs to a pulled stream or to the program."""


class FrameRefused(PublishError):
    """413, 415 or 422: the server is well but does not want this frame. It is not sent again."""


class ServerBusy(PublishError):
    """429 or 503: full or not ready. `retry_after` is in seconds."""


class Target(NamedTuple):
    """Where the frames go. `origin` is safe to log: it has no credentials."""

    scheme: str
    host: str
    port: int
    path: str
    stream: str

    @classmethod
    def parse(cls, server_url: str, stream: str) -> Target:
        url = urlsplit(server_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("server_url: http://host:port or https://host")
        if url.username is not None or url.query or url.fragment:
            raise ValueError("server_url: without user, query and fragment; use token= to authenticate")
        port = url.port or (443 if url.scheme == "https" else 80)
        return cls(url.scheme, url.hostname, port, f"{url.path.rstrip('/')}/publish/{stream}", stream)

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Transport(Protocol):
    """One connection. `send` may be called again until it raises."""

    survives_refusal: bool  # the connection is usable after a frame was refused

    def __init__(self, target: Target, token: Optional[str], verify: Union[bool, str]) -> None: ...

    @property
    def confirmed(self) -> bool:
        """The server has shown that it takes what was sent so far."""
        ...

    def send(self, jpeg: bytes, timestamp: str) -> None:
        """Delivers one frame, taken at `timestamp` (RFC 3339), or raises a PublishError."""

    def abort(self) -> None:
        """Called from another thread: ends a `send` that hangs, where that is possible."""

    def close(self, clean: bool) -> bool:
        """clean: all went well, so end the request properly; answers whether the server accepted it."""
        ...


class PostTransport:
    """One multipart POST per frame on a connection kept alive."""

    survives_refusal = True
    confirmed = True

    def __init__(self, target: Target, token: Optional[str], verify: Union[bool, str]) -> None:
        self._target = target
        self._session = requests.Session()
        # Given with each request: the variable REQUESTS_CA_BUNDLE would win over the session's setting.
        self._verify = verify
        self._session.mount(f"{target.scheme}://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
        if token is not None:
            # As an auth object, for requests lets an entry of ~/.netrc win over a plain header.
            self._session.auth = _Bearer(token)

    def send(self, jpeg: bytes, timestamp: str) -> None:
        try:
            answer = self._session.post(
                self._target.origin + self._target.path,
                files={"frame": ("frame.jpg", jpeg, "image/jpeg")},
                headers={"X-Timestamp": timestamp},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                verify=self._verify,
                # Followed, a 301 would turn the POST into a GET.
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise ServerUnreachable(f"TLS with {self._target.origin} failed: {_cause(error)}") from error
        except requests.exceptions.Timeout as error:
            raise ServerUnreachable(f"{self._target.origin} did not answer in time") from error
        except requests.exceptions.RequestException as error:
            raise ServerUnreachable(f"{self._target.origin} cannot be reached: {_cause(error)}") from error
        if not 200 <= answer.status_code < 300:
            raise _refusal(self._target, answer.status_code, answer.headers, answer.content)

    def abort(self) -> None:
        pass

    def close(self, clean: bool) -> bool:
        self._session.close()
        return clean


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


class StreamTransport:
    """One chunked `multipart/x-mixed-replace` POST that stays open; a part per frame.

    On `http.client`, because an answer that comes while we still send (401, 409, 503) has to be noticed: the socket is
    read before each part.
    """

    survives_refusal = False

    def __init__(self, target: Target, token: Optional[str], verify: Union[bool, str]) -> None:
        self._target = target
        self._headers = {"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._http: http.client.HTTPConnection
        if target.scheme == "https":
            context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
            if verify is False:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._http = http.client.HTTPSConnection(target.host, target.port, timeout=CONNECT_SECONDS, context=context)
        else:
            self._http = http.client.HTTPConnection(target.host, target.port, timeout=CONNECT_SECONDS)
        self._socket: Optional[socket.socket] = None
        self._opened_at = 0.0
        self._heard = b""  # the beginning of an answer

    @property
    def confirmed(self) -> bool:
        return self._socket is not None and time.monotonic() - self._opened_at >= CONFIRM_SECONDS

    def send(self, jpeg: bytes, timestamp: str) -> None:
        part = (
            f"--{BOUNDARY}\r\n"
            "Content-Type: image/jpeg\r\n"
            f"Content-Length: {len(jpeg)}\r\n"
            f"X-Timestamp: {timestamp}\r\n\r\n"
        ).encode("ascii")
        try:
            if self._socket is None:
                self._open()
            if self._answered():
                raise self._early_answer()
            self._write(part + jpeg + b"\r\n")
        except PublishError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._reason_of(error) from error

    def _open(self) -> None:
        self._http.connect()
        self._socket = self._http.sock
        self._opened_at = time.monotonic()
        self._socket.settimeout(ANSWER_SECONDS)
        # Without it seconds of video pile up in the kernel before slowness is felt.
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 128 * 1024)
        self._http.putrequest("POST", self._target.path, skip_accept_encoding=True)
        for name, value in self._headers.items():
            self._http.putheader(name, value)
        self._http.putheader("Transfer-Encoding", "chunked")
        self._http.endheaders()

    def _write(self, data: bytes) -> None:
        self._http.send(f"{len(data):x}\r\n".encode("ascii") + data + b"\r\n")

    def _answered(self) -> bool:
        """Whether an answer has begun to arrive. Raises if the connection was closed instead."""
        if self._socket is None:
            return False
        if not self._heard:
            # Reading, and not only looking whether something is there: with TLS that may be a session ticket.
            self._socket.settimeout(0)
            try:
                self._heard = self._socket.recv(4096)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            finally:
                self._socket.settimeout(ANSWER_SECONDS)
            if not self._heard:
                raise ConnectionError("the connection was closed")
        return True

    def _answer(self) -> http.client.HTTPResponse:
        """The whole answer, what was read of it already included."""
        assert self._socket is not None
        answer = http.client.HTTPResponse(_Rest(self._heard, self._socket), method="POST")  # type: ignore[arg-type]
        answer.begin()
        return answer

    def _early_answer(self) -> PublishError:
        answer = self._answer()
        if 200 <= answer.status < 300:
            return ServerUnreachable(f"{self._target.origin} ended the stream")
        return _refusal(self._target, answer.status, answer.headers, answer.read(64 * 1024))

    def _reason_of(self, error: Exception) -> PublishError:
        """A server that refuses may answer and close before we look; the answer says more than the broken pipe."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            if self._answered():
                return self._early_answer()
        if isinstance(error, ssl.SSLError):
            return ServerUnreachable(f"TLS with {self._target.origin} failed: {error}")
        if isinstance(error, socket.timeout):
            return ServerUnreachable(f"{self._target.origin} took no data in time")
        return ServerUnreachable(f"{self._target.origin} cannot be reached: {error}")

    def abort(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self, clean: bool) -> bool:
        if self._socket is None:
            return False
        try:
            return clean and self._finish()
        except (OSError, http.client.HTTPException) as error:
            log.debug("%s: the stream did not end cleanly: %s", self._target.stream, error)
            return False
        finally:
            self._http.close()

    def _finish(self) -> bool:
        assert self._socket is not None
        self._socket.settimeout(FAREWELL_SECONDS)
        if not self._answered():
            self._write(f"--{BOUNDARY}--\r\n".encode("ascii"))
            self._http.send(b"0\r\n\r\n")
        answer = self._answer()
        body = answer.read(64 * 1024)
        if 200 <= answer.status < 300:
            # Frame by frame nothing is said in this mode; the sum comes at the end.
            refused = _json(body).get("refused")
            if refused:
                log.warning("%s: the server refused %s of the frames of this stream", self._target.stream, refused)
            return True
        error = _refusal(self._target, answer.status, answer.headers, body)
        log.warning("%s: at the end of the stream: %s", self._target.stream, error)
        return False


class _Rest(io.RawIOBase):
    """Stands in for a socket of which some bytes were read already; `HTTPResponse` asks it for `makefile` only."""

    def __init__(self, head: bytes, rest: socket.socket) -> None:
        self._head = head
        self._rest = rest

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            return self._rest.recv_into(buffer)
        size = min(len(buffer), len(self._head))
        buffer[:size], self._head = self._head[:size], self._head[size:]
        return size


def _refusal(target: Target, status: int, headers: Any, body: bytes) -> PublishError:
    """The exception for an answer that is not a success; says what to do where that is known."""
    detail = _detail(status, body)
    if status in (401, 403):
        return AuthError(f"{detail}: is token= right for stream {target.stream!r}?", status)
    if status == 404:
        return PublishError(f"{detail}: is there an onair at {target.origin}, and no path missing?", status)
    if status == 409:
        return NameTaken(f"{detail}: the name {target.stream!r} is not free for publishing", status)
    if status in (413, 415, 422):
        return FrameRefused(f"frame refused: {detail}", status)
    if status in (429, 503):
        return ServerBusy(f"server busy: {detail}", status, _retry_after(headers.get("Retry-After")))
    if 300 <= status < 400:
        return PublishError(f"{detail}: the server is at {headers.get('Location')}; use that as server_url", status)
    return PublishError(detail, status, _retry_after(headers.get("Retry-After")))


def _detail(status: int, body: bytes) -> str:
    """Status and the `detail` of an RFC 9457 body, if it is one."""
    problem = _json(body)
    words = problem.get("detail") or problem.get("title") or http.client.responses.get(status, "")
    return f"{status} {str(words)[:300]}".strip()


def _json(body: bytes) -> Dict[str, Any]:
    """The JSON object in `body`; an empty one if it is anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _retry_after(value: Optional[str]) -> float:
    """Seconds from a Retry-After header: a number or an HTTP date (RFC 9110, 10.2.3); 0 if absent or unreadable."""
    if not value:
        return 0.0
    try:
        seconds = float(int(value))
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _cause(error: BaseException) -> str:
    """The innermost reason, for requests wraps it three times."""
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if not isinstance(inner, BaseException) or inner is error:
            return str(error) or type(error).__name__
        error = inner
