"""The files of `deploy/` against the code that they serve."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from faces import video

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
