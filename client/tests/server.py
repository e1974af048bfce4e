"""A small HTTP server that records what a publisher sends and answers as a test tells it to.

Everything a test waits for is a condition on what arrived; nothing here or in the tests sleeps to be in time.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple


class Frame(NamedTuple):
    data: bytes
    timestamp: Optional[str]
    connection: Tuple[str, int]  # the client's address: the same for requests on one connection


class Answer(NamedTuple):
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    detail: str = ""
    refused: int = 0  # told at the end of a stream


class Server:
    """Listens from construction until `close`; `answer` is asked before each frame is recorded."""

    def __init__(self, port: int = 0, certificate: Optional[Path] = None) -> None:
        self.frames: List[Frame] = []
        self.headers: List[Dict[str, str]] = []
        self.requests = 0
        self.ended = 0  # streams that came to their proper end
        self.answer: Callable[[int], Answer] = lambda _request: Answer()
        self.gate = threading.Event()  # cleared, requests wait before they are answered
        self.gate.set()
        self.changed = threading.Condition()
        self._sockets: List[socket.socket] = []
        self._http = Listener(("127.0.0.1", port), handler_for(self))
        self.scheme = "http"
        if certificate is not None:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.port: int = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def wait(self, condition: Callable[[Server], bool], timeout: float = 10.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), timeout), self

    def note(self, change: Callable[[], Any]) -> None:
        with self.changed:
            change()
            self.changed.notify_all()

    def opened(self, connection: socket.socket) -> None:
        self._sockets.append(connection)

    def close(self) -> None:
        """Gone as after a crash: no listener, every connection cut."""
        self.gate.set()
        self._http.shutdown()
        self._http.server_close()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __repr__(self) -> str:
        return f"Server(requests={self.requests}, frames={[f.data for f in self.frames]}, ended={self.ended})"


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is part of many tests; anything else is worth its trace."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def handler_for(server: Server) -> type:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        wbufsize = 65536  # an answer in one packet, or Nagle's algorithm costs 40 ms each

        def setup(self) -> None:
            super().setup()
            server.opened(self.connection)

        def do_POST(self) -> None:
            def begin() -> None:
                server.requests += 1
                server.headers.append(dict(self.headers))

            server.note(begin)
            answer = server.answer(server.requests)
            if self.headers["Content-Type"].startswith("multipart/x-mixed-replace"):
                self.take_stream(answer)
            else:
                self.take_post(answer)

        def take_post(self, answer: Answer) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            form = BytesParser(policy=HTTP).parsebytes(
                b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
            )
            (part,) = form.iter_parts()
            assert part.get_param("name", header="content-disposition") == "frame"
            assert part.get_content_type() == "image/jpeg"
            server.gate.wait(20)
            if answer.status == 200:
                self.record(part.get_payload(decode=True), self.headers["X-Timestamp"])
            self.reply(answer)

        def take_stream(self, answer: Answer) -> None:
            if answer.status != 200:
                self.reply(answer)
                self.close_connection = True
                return
            assert self.headers["Transfer-Encoding"] == "chunked"
            chunks = Chunks(self.rfile)
            while True:
                line = chunks.line()
                if line == b"--frame--":
                    break
                assert line == b"--frame", line
                fields = dict(field.split(b": ", 1) for field in iter(chunks.line, b""))
                assert fields[b"Content-Type"] == b"image/jpeg"
                data = chunks.read(int(fields[b"Content-Length"]))
                assert chunks.line() == b""
                self.record(data, fields[b"X-Timestamp"].decode())
                server.gate.wait(20)
            assert chunks.at_end()
            server.note(lambda: setattr(server, "ended", server.ended + 1))
            self.reply(answer)

        def record(self, data: bytes, timestamp: Optional[str]) -> None:
            server.note(lambda: server.frames.append(Frame(data, timestamp, self.client_address)))

        def reply(self, answer: Answer) -> None:
            problem = {"type": "about:blank", "title": "t", "status": answer.status, "detail": answer.detail}
            body = json.dumps(
                {"status": "success", "refused": answer.refused} if answer.status == 200 else problem
            ).encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


class Chunks:
    """The bytes inside a chunked body, whatever the chunk borders."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._buffer = b""
        self._last = False

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        data, self._buffer = self._buffer.split(b"\r\n", 1)
        return data

    def at_end(self) -> bool:
        while not self._last:
            self._more()
        return not self._buffer

    def _more(self) -> None:
        head = self._stream.readline()
        if not head or self._last:
            raise ConnectionError("the body ended early")
        size = int(head, 16)
        self._last = size == 0
        self._buffer += self._stream.read(size)
        assert self._stream.readline() == b"\r\n"
