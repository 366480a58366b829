"""The boot agent and a network that fails: storms, silence, cut connections, and whom it trusts."""

import datetime as dt
import ipaddress
import socket
import ssl
import time

from boot_world import JIT_CLAIM
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def test_a_storm_of_errors_is_waited_out(world):
    world.dispatch(
        (503, {"reason": "store_down"}), (429, None), (500, b"<html>"), (502, b""), (200, JIT_CLAIM)
    )
    assert world.run().code == 0


def test_a_storm_of_errors_is_given_up_at_the_deadline(world):
    world.dispatch((503, {"reason": "store_down"}))
    began = time.monotonic()

    ended = world.run({"FLY_GHA_CLAIM_DEADLINE_S": "0.7"})

    assert ended.code == 22
    assert 0.6 < time.monotonic() - began < 3
    assert len(world.dispatcher.seen) > 3
    assert set(ended.details("claim")) == {"503 store_down"}


def test_a_dispatcher_that_is_not_there_is_given_up_at_the_deadline(world):
    world.dispatch((200, JIT_CLAIM))
    world.dispatcher.close()

    ended = world.run({"FLY_GHA_CLAIM_DEADLINE_S": "0.5"})

    assert ended.code == 22
    assert any("ConnectionRefusedError" in detail for detail in ended.details("claim"))


def test_a_dispatcher_that_never_answers_is_given_up_at_the_deadline(world):
    """Even in mid-exchange: the deadline does not depend on the network's timeouts."""
    world.dispatch((200, JIT_CLAIM)).hang.add("claim")
    began = time.monotonic()

    assert world.run({"FLY_GHA_CLAIM_DEADLINE_S": "0.5"}, claim_read=60).code == 22
    assert time.monotonic() - began < 3


def test_a_connection_cut_in_mid_answer_is_no_answer(world):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        world.begin({"FLY_GHA_URL": url, "FLY_GHA_CLAIM_DEADLINE_S": "3"})
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"runner": "')
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
            ended = world.end()
    assert ended.code == 24
    assert any("IncompleteRead" in detail for detail in ended.details("claim"))


def test_a_path_in_the_url_is_kept_and_https_is_verified(world, tmp_path):
    certificate = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    world.dispatch((204, None), (200, JIT_CLAIM), tls=server)
    env = {"FLY_GHA_URL": f"{world.dispatcher.url}/base/", "FLY_GHA_CLAIM_DEADLINE_S": "1"}

    distrusted = world.run(env)
    assert distrusted.code == 22
    assert any("CERTIFICATE_VERIFY_FAILED" in detail.upper() for detail in distrusted.details("claim"))

    trusted = world.run({**env, "FLY_GHA_CLAIM_DEADLINE_S": "8", "SSL_CERT_FILE": str(certificate)})
    assert trusted.code == 0, trusted.err
    assert world.dispatcher.paths()[:3] == ["/base/v1/claim", "/base/v1/claim", "/base/v1/claim/ack"]


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dispatcher")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "dispatcher.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
