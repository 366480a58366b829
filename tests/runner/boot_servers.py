"""Fly's socket and a dispatcher as the boot agent meets them: real servers that play a script."""

import http.server
import itertools
import json
import socket
import socketserver
import threading
import time
from contextlib import suppress
from dataclasses import dataclass


@dataclass
class Seen:
    """One request that reached the dispatcher."""

    path: str
    bearer: str
    body: dict
    at: float


class FlySocket:
    """``/.fly/api``: mints a new token per call; ``answers`` are given first."""

    def __init__(self, path, answers=()):
        self.audiences, self.tokens, self.answers = [], [], list(answers)
        fly, numbers = self, itertools.count(1)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.path == "/v1/tokens/oidc"
                fly.audiences.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["aud"])
                token = f"eyJhbGciOiJSUzI1NiJ9.machine-{next(numbers)}.signature"
                status, text = fly.answers.pop(0) if fly.answers else (200, token)
                if status == 200:
                    fly.tokens.append(text)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def address_string(self):
                return "fly"

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.path = str(path)
        self._server = Server(self.path, Handler)
        start(self._server)

    def close(self):
        stop(self._server)


class CuttableServer(http.server.ThreadingHTTPServer):
    """Knows its connections, and takes a client that went away for part of the test."""

    daemon_threads = True

    def get_request(self):
        connection = super().get_request()
        self.connections.append(connection[0])
        return connection

    def handle_error(self, request, client_address):
        pass


class FakeDispatcher:
    """Plays a script of claim answers (the last one again and again) and records every request."""

    def __init__(self, claims, tls=None):
        self.claims, self.seen, self.statuses, self.connections = list(claims), [], {}, []
        self.clock_offset, self.hang, self.released = 0.0, set(), threading.Event()
        dispatcher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                bearer = self.headers["Authorization"].removeprefix("Bearer ")
                dispatcher.seen.append(Seen(self.path, bearer, body, time.monotonic()))
                if self.path.rpartition("/")[2] in dispatcher.hang:
                    dispatcher.released.wait(20)
                status, answer = dispatcher.statuses.get(self.path, 204), None
                if self.path.endswith("/v1/claim"):
                    status, answer = dispatcher.next_claim()
                self.reply(status, answer)

            def reply(self, status, answer):
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode() if answer else b""
                self.send_response(status)
                if dispatcher.clock_offset is not None:
                    self.send_header("X-Fly-Gha-Now", f"{time.time() + dispatcher.clock_offset:.3f}")
                if status != 204:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = CuttableServer(("127.0.0.1", 0), Handler)
        self._server.connections = self.connections
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        start(self._server)

    def next_claim(self):
        return self.claims.pop(0) if len(self.claims) > 1 else self.claims[0]

    def paths(self):
        return [request.path for request in self.seen]

    def of(self, path):
        return [request for request in self.seen if request.path == path]

    def cut(self):
        """What a restart or a proxy does to connections that are kept."""
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.released.set()
        if self._server:
            stop(self._server)
            self.cut()
            self._server = None


def start(server):
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()


def stop(server):
    server.shutdown()
    server.server_close()
