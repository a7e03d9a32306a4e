"""The files of `deploy/` against the code that they serve."""

from __future__ import annotations

import datetime
import re
import ssl
import subprocess
from pathlib import Path

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import app
from bot.jobs import build_broker
from commands.run import make_master_keys
from credentials.webhooks import PAUSES_S
from faces import video
from parts import put_together
from settings import Settings
from web.condition import Gauge

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"


def _nginx() -> str:
    """nginx.conf without its comments."""
    return re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text("utf-8"))


def _locations() -> dict[str, str]:
    """What stands in each `location` of nginx.conf."""
    return dict(re.findall(r"location\s+(.+?)\s*\{(.*?)\}", _nginx(), re.DOTALL))


def test_nginx_does_no_post_twice() -> None:
    """`error` and `timeout` pass a POST on only where nothing of it was sent; see nginx's docs."""
    (passed,) = re.findall(r"proxy_next_upstream\s+(.+?);", _nginx())
    assert set(passed.split()) <= {"error", "timeout"}


def test_nginx_counts_no_address_where_one_address_is_many() -> None:
    """The platform pushes from few addresses, and a chain of hotels calls from one."""
    outside = re.sub(r"location\s+.+?\{.*?\}", "", _nginx(), flags=re.DOTALL)
    assert not re.findall(r"^\s*limit_(?:conn|req)\s", outside, re.MULTILINE)
    for place in ("= /wechat", "= /alipay", "/api/"):
        assert "limit_" not in _locations()[place], place


def test_nginx_lets_the_longest_film_through() -> None:
    (size,) = re.findall(r"client_max_body_size\s+(\d+)m;", _nginx())
    assert int(size) * 2**20 > video.MAX_BYTES


def test_nginx_leaves_it_to_the_product_what_is_kept() -> None:
    """Scripts import each other without a hash: kept for a year, they would outlive an upgrade."""
    assert not re.findall(r"\bexpires\b", _nginx())


def test_compose_puts_its_own_web_into_nginx_conf() -> None:
    (edit,) = re.findall(r"(sed .+?) /etc/nginx/card.conf", (DEPLOY / "compose.yml").read_text())
    edited = subprocess.run(
        f"{edit} {DEPLOY / 'nginx.conf'}", shell=True, capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^\s*server\s+([^\s{]+)", edited, re.MULTILINE) == ["web:8000"]


@pytest.mark.parametrize("name", ["rabbitmq.conf", "compose.yml"])
def test_rabbitmq_lets_a_worker_hold_a_webhook_until_its_last_try(name: str) -> None:
    (timeout,) = re.findall(r"consumer_timeout\D+(\d+)", (DEPLOY / name).read_text("utf-8"))
    assert int(timeout) > 1000 * max(PAUSES_S)


def test_the_address_of_rabbitmq_names_a_certificate(tmp_path: Path) -> None:
    """Whoever shows none is refused by rabbitmq.conf, so its head must say how one is shown."""
    said = (DEPLOY / "rabbitmq.conf").read_text("utf-8")
    assert "ssl_options.fail_if_no_peer_cert = true" in said
    (address,) = re.findall(r'JOBS_URL="(.+)"', said)
    address = address.replace("/etc/card/tls", str(tmp_path))
    for name, content in _certificate().items():
        with pytest.raises(FileNotFoundError):  # so each of them is read
            build_broker(address)
        (tmp_path / name).write_bytes(content)
    shown = build_broker(address).parameters.ssl_options.context  # type: ignore[union-attr] # `amqps` has it
    assert shown.verify_mode is ssl.CERT_REQUIRED


def _certificate() -> dict[str, bytes]:
    """A certificate that is its own authority, and its key, by the names of the files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "card")])
    began = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    ).public_bytes(serialization.Encoding.PEM)
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {"ca.pem": signed, "client.pem": signed, "client.key": plain}


DAILY = ["remind", "registry sync", "audit verify", "audit archive"]


@pytest.mark.parametrize(
    "name", ["systemd/card-daily.service", "compose.yml", "kubernetes/card.yaml"]
)
def test_what_is_due_daily_is_done_everywhere(name: str) -> None:
    """The words go through the shell, as they will: a quote too few would lose a command."""
    (loop,) = re.findall(r"'(bad=0; .+)'", (DEPLOY / name).read_text("utf-8"))
    loop = loop.replace("$$", "$").replace("/opt/card/.venv/bin/", "")
    for failing in ("", "audit verify"):
        told = f'python() {{ shift; echo "$*"; test "$*" != "{failing}"; }}; {loop}'
        done = subprocess.run(["sh", "-c", told], capture_output=True, text=True, check=False)
        assert done.stdout.splitlines() == DAILY
        assert done.returncode == bool(failing)


def test_what_is_due_daily_are_commands() -> None:
    for words in DAILY:
        command: click.Command = app.main
        for word in words.split():
            assert isinstance(command, click.Group)
            command = command.commands[word]


@pytest.fixture
def gauges(tmp_path: Path) -> list[Gauge]:
    """The product's readings; nothing is read."""
    settings = Settings(profile="demo", var_dir=tmp_path)
    make_master_keys(settings)
    return list(app._condition(put_together(settings)).gauges)


def test_alerts_have_the_limits_of_the_health_page(gauges: list[Gauge]) -> None:
    rules = (DEPLOY / "alerts.yml").read_text("utf-8")
    for gauge in gauges:
        if gauge.bad is None or gauge.name == "webhook_seconds":  # a histogram for Prometheus
            continue
        sign = "<=" if gauge.low else ">="
        assert f"expr: card_{gauge.name} {sign} {gauge.bad:.10g}\n" in rules, gauge.name


@pytest.mark.parametrize("name", ["alerts.yml", "grafana-dashboard.json", "README.md"])
def test_every_figure_that_is_named_is_there(name: str, gauges: list[Gauge]) -> None:
    there = {f"card_{gauge.name}" for gauge in gauges}
    there |= {"card_http_requests_total", "card_http_request_seconds_bucket"}
    there |= {"card_authority_circuit", "card_stopped"}
    text = (DEPLOY / name).read_text("utf-8")
    assert set(re.findall(r"\bcard_[a-z_]+", text)) <= there
