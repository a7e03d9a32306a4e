"""Row 37. Outbound webhook replayed, slow, or to an internal address: signed, bounded, refused."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from credentials.errors import UnavailableError
from credentials.posting import Poster, PostError, check_url, is_public
from credentials.sealing import Sealer
from credentials.webhooks import ATTEMPT_MS, ATTEMPTS, PAUSES_S, WebhookError, Webhooks
from tests.credentials.issuer import ring
from tests.faults.conftest import Figure

HOST = "pms.example.com"


class Receiver:
    """A hotel's program that hears webhooks over TLS."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.silent = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                receiver.silent.wait(0 if not receiver.silent.is_set() else 5)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        certificate = certificate_of(folder)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.trusted = ssl.create_default_context(cafile=str(certificate))

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/hook"

    def poster(self, **changed: object) -> Poster:
        known: dict[str, object] = {
            "allowed": lambda address: address == ipaddress.ip_address("127.0.0.1"),
            "resolver": lambda _host, _port: ["127.0.0.1"],
            "context": self.trusted,
            "deadline_s": 20.0,  # an end, not a wait
        }
        return Poster(**{**known, **changed})  # type: ignore[arg-type]


def certificate_of(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "receiver.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path)
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


class Sender:
    """The product's side: what would be done later is kept, and done when the test says so."""

    def __init__(self, database: redis.Redis, poster: Poster) -> None:
        self.later: list[tuple[float, str]] = []
        self.webhooks = Webhooks(database, Sealer(ring()), self._enqueue, poster)

    def _enqueue(self, _name: str, *, delay_s: float, verifier_id: str, delivery_id: str) -> None:
        assert verifier_id == "hotel"
        self.later.append((delay_s, delivery_id))

    def work(self) -> list[float]:
        """Do every job until none is left; the pauses that were asked for."""
        pauses = []
        while self.later:
            pause, delivery_id = self.later.pop(0)
            pauses.append(pause)
            self.webhooks.deliver("hotel", delivery_id)
        return pauses


def right_signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    """As the standard says, worked out here anew."""
    said = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    made = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), said, hashlib.sha256)
    return f"v1,{base64.b64encode(made).decode()}"


def test_it_is_signed_with_id_and_time(database: redis.Redis, receiver: Receiver) -> None:
    sender = Sender(database, receiver.poster())
    endpoint = sender.webhooks.add("hotel", receiver.url)
    sender.webhooks.announce("hotel", "0" * 20, "accepted", "hotel")
    sender.webhooks.announce("hotel", "0" * 20, "accepted", "hotel")
    began = int(time.time())
    sender.work()
    [(headers, body)] = receiver.heard
    assert headers["webhook-signature"] == right_signature(endpoint.secret, headers, body)
    assert began <= int(headers["webhook-timestamp"]) <= time.time()
    assert b"name" not in body
    sender.webhooks.replay("hotel", headers["webhook-id"])
    sender.work()
    assert [heard["webhook-id"] for heard, _ in receiver.heard] == [headers["webhook-id"]] * 2


def test_one_whose_job_could_not_be_enqueued_is_sent_when_it_is_announced_again(
    database: redis.Redis, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(database, receiver.poster())

    def full(_name: str, **_: object) -> None:
        raise UnavailableError(what="jobs", why="full")

    sender.webhooks.add("hotel", receiver.url)
    with monkeypatch.context() as outage:
        outage.setattr(sender.webhooks, "_enqueue", full)
        with pytest.raises(UnavailableError):
            sender.webhooks.announce("hotel", "0" * 20, "accepted", "hotel")
    for _ in range(2):  # as two workers would
        sender.webhooks.announce("hotel", "0" * 20, "accepted", "hotel")
    sender.work()
    assert len(receiver.heard) == 1
    sender.webhooks.announce("hotel", "0" * 20, "accepted", "hotel")
    assert sender.later == []


def test_retries_are_bounded(database: redis.Redis, receiver: Receiver, figure: Figure) -> None:
    sender = Sender(database, receiver.poster())
    sender.webhooks.add("hotel", receiver.url)
    receiver.answers = [500] * 50
    sender.webhooks.announce("hotel", "0" * 20, "denied", "hotel")
    pauses = sender.work()
    assert len(receiver.heard) == ATTEMPTS
    for pause, meant in zip(pauses[1:], PAUSES_S, strict=True):
        assert 0.7 * meant < pause < 1.3 * meant
    assert sender.webhooks.deliveries("hotel")[0].state == "failed"
    figure("attempts", len(receiver.heard), "")


def announced(database: redis.Redis, receiver: Receiver) -> tuple[Sender, str]:
    """Somebody with one delivery to make, and its id."""
    sender = Sender(database, receiver.poster())
    sender.webhooks.add("hotel", receiver.url)
    sender.webhooks.announce("hotel", "0" * 20, "accepted", "hotel")
    [(_, delivery_id)] = sender.later
    return sender, delivery_id


def test_an_attempt_whose_worker_was_killed_is_made_again(
    database: redis.Redis, receiver: Receiver
) -> None:
    sender, delivery_id = announced(database, receiver)

    def killed(*_: object) -> int:
        raise SystemExit

    dying = Sender(database, receiver.poster(resolver=killed))
    with pytest.raises(SystemExit):
        dying.webhooks.deliver("hotel", delivery_id)
    sender.later.clear()
    sender.webhooks.deliver("hotel", delivery_id)  # the broker hands the job back at once
    [(pause, again)] = sender.later
    assert again == delivery_id
    assert 1 < pause <= ATTEMPT_MS / 1000 + 1
    assert receiver.heard == []
    database.hset(f"{{v:hotel}}:w:{delivery_id}", "l", 1)  # the pause is over
    sender.work()
    assert len(receiver.heard) == 1
    assert sender.webhooks.deliveries("hotel")[0].state == "delivered"


def test_a_second_job_of_an_attempt_under_way_ends_once_it_is_decided(
    database: redis.Redis, receiver: Receiver
) -> None:
    sender, delivery_id = announced(database, receiver)

    def meanwhile(_host: str, _port: int) -> list[str]:
        sender.webhooks.deliver("hotel", delivery_id)
        return ["127.0.0.1"]

    slow = Sender(database, receiver.poster(resolver=meanwhile))
    sender.later.clear()
    slow.webhooks.deliver("hotel", delivery_id)
    assert len(sender.later) == 1
    sender.work()
    assert len(receiver.heard) == 1


def test_one_that_is_gone_is_not_tried_again(database: redis.Redis, receiver: Receiver) -> None:
    sender = Sender(database, receiver.poster())
    sender.webhooks.add("hotel", receiver.url)
    receiver.answers = [410]
    sender.webhooks.announce("hotel", "0" * 20, "denied", "hotel")
    sender.work()
    assert len(receiver.heard) == 1


@pytest.mark.parametrize(
    ("handshake", "begins"),
    [
        (False, b"\x16\x03\x03\x40\x00"),  # a handshake's record of 16 KB, which never ends
        (True, b"HTTP/1.1 200 "),
        (True, b"HTTP/1.1 200 OK\r\nslow: "),
    ],
)
def test_one_that_drips_is_cut(
    receiver: Receiver, figure: Figure, begins: bytes, *, handshake: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with contextlib.suppress(OSError), contextlib.ExitStack() as closing:
                if handshake:
                    connection = receiver.tls.wrap_socket(connection, server_side=True)
                closing.enter_context(connection)
                connection.send(begins)
                for _ in range(200):  # an end, should it not be cut
                    if stop.wait(0.1):
                        return
                    connection.send(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"https://{HOST}:{listening.getsockname()[1]}/"
        began = time.monotonic()
        with pytest.raises(PostError) as refusal:
            receiver.poster(deadline_s=1.0).post(url, b"{}", {})
        took = time.monotonic() - began
        stop.set()
        thread.join()
    assert refusal.value.code == "too_slow"  # one that ends by itself is another
    figure("cut after", took, "s")


def test_a_name_that_nothing_can_resolve_is_only_unresolved(receiver: Receiver) -> None:
    with pytest.raises(PostError) as refusal:
        Poster(context=receiver.trusted).post("https://hook..example.com/", b"{}", {})
    assert refusal.value.code == "unresolved"


@pytest.mark.parametrize(
    "url",
    [
        "http://pms.example.com/", "https://user@pms.example.com/", "https://", "https://a b/",
        "ftp://x", "https://pms.example.com:22/", "https://127.0.0.1/", "https://[::1]/",
        "https://10.1.2.3/", "https://192.168.0.1/", "https://169.254.169.254/latest/",
        "https://localhost/", "https://redis.internal/", "https://100.64.0.1/", "https://0.0.0.0/",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/",
        "https://[fec0::1]/",
        "https://pms.example.com:99999/", "https://x" * 200,
    ],
)  # fmt: skip
def test_addresses_that_are_never_kept(database: redis.Redis, url: str) -> None:
    webhooks = Webhooks(database, Sealer(ring()))
    with pytest.raises(WebhookError) as refusal:
        webhooks.add("hotel", url)
    assert refusal.value.code in {"bad_url", "internal_address"}
    assert webhooks.endpoints("hotel") == []


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["fd00::1"],
        ["fec0::1"],
        ["::ffff:127.0.0.1"],
        [],
    ],
)
def test_a_name_that_leads_inside_is_refused(receiver: Receiver, answer: list[str]) -> None:
    poster = Poster(resolver=lambda _host, _port: answer, context=receiver.trusted)
    with pytest.raises(PostError) as refusal:
        poster.post(receiver.url, b"{}", {})
    assert refusal.value.code in {"internal_address", "unresolved"}
    assert receiver.heard == []


def test_rebinding_gains_nothing(receiver: Receiver) -> None:
    """The name is asked for once, and the connection goes to the address that was checked."""
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    assert receiver.poster(resolver=resolver).post(receiver.url, b"{}", {}) == 204
    assert asked == [HOST]


def test_a_certificate_for_another_name_is_refused(receiver: Receiver) -> None:
    with pytest.raises(PostError) as refusal:
        receiver.poster().post(receiver.url.replace(HOST, "other.example.com"), b"{}", {})
    assert refusal.value.code == "tls"


def test_what_is_public() -> None:
    assert is_public(ipaddress.ip_address("93.184.216.34"))
    assert is_public(ipaddress.ip_address("2606:2800:220:1:248:1893:25c8:1946"))
    assert check_url("https://pms.example.com:8443/hook?x=1").port == 8443
