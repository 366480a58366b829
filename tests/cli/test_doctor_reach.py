"""What the doctor finds out about an address: its name, its certificate, and who answers."""

import asyncio
import datetime as dt
import http.server
import json
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runners.cli.doctor.facts import Answering, Unread
from runners.cli.doctor.gather_reach import addresses, answering

READY = {
    "ready": False,
    "fleet": "ci",
    "instance": "abc",
    "as_of": "2026-11-20T12:34:56.789Z",
    "not_ready": ["store"],
    "checks": [],
    "added_later": 1,
}


@contextmanager
def serving(body, status=200, certificate=None):
    """A server on the loopback that gives one answer to everything."""

    class One(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass

    server = Quiet(("127.0.0.1", 0), One)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def self_signed(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "both.pem"
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_a_dispatcher_says_who_it_is_and_what_it_lacks():
    with serving(json.dumps(READY).encode(), 503) as port:
        assert await answering(f"http://127.0.0.1:{port}/") == Answering(503, "ci", "abc", ("store",))


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b'{"ready": true}', b"[]"])
async def test_something_else_is_no_dispatcher(body):
    with serving(body) as port:
        assert await answering(f"http://127.0.0.1:{port}") == Answering(200, "", "")


async def test_a_certificate_that_nobody_trusts_is_said_as_such(self_signed):
    with serving(b"{}", certificate=self_signed) as port:
        found = await answering(f"https://127.0.0.1:{port}")
    assert isinstance(found, Unread)
    assert found.refused
    assert found.why.startswith("TLS: ")
    assert "self" in found.why
    assert found.next_step


async def test_an_address_where_nobody_listens_is_silence_not_a_refusal():
    found = await answering("http://127.0.0.1:9")
    assert isinstance(found, Unread)
    assert not found.refused
    assert "fly-gha serve" in found.next_step


async def test_a_name_resolves_to_its_addresses():
    assert await addresses("http://127.0.0.1:8080/x") == ("127.0.0.1",)


@pytest.mark.parametrize(("errno", "refused"), [(socket.EAI_NONAME, True), (socket.EAI_AGAIN, False)])
async def test_a_name_that_does_not_exist_is_refused_and_a_silent_name_server_is_unknown(
    monkeypatch, errno, refused
):
    async def fails(*_):
        raise socket.gaierror(errno, "no")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fails, raising=False)
    found = await addresses("https://runners.example")
    assert isinstance(found, Unread)
    assert found.refused is refused
