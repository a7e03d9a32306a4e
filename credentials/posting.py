"""One POST to somebody else's address, which must not be one of ours.

The name is resolved once, every address it has is checked, and the connection goes to a checked
address itself: a name that answers otherwise a moment later (DNS rebinding) gains nothing. TLS is
checked against the name. No redirects, no proxies, nothing of the answer's body is read, and
after ten seconds the connection is cut, however slowly it still drips.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
DEADLINE_S = 10.0
LONGEST_URL = 500
TLS_PORT = 443
FIRST_FREE_PORT = 1024
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PostError(Exception):
    """bad_url, internal_address, unresolved, unreachable, tls, or too_slow in `code`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, also when it wraps another address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None or address.is_site_local:
            return False
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(url: str) -> SplitResult:
    """The parts of an address that may be posted to; nothing is resolved.

    Raises:
        PostError: bad_url unless it is https, with a name, on port 443 or one above 1023;
            internal_address when it names such a one outright.
    """
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or len(url) > LONGEST_URL:
        raise PostError("bad_url")
    try:
        parts = urlsplit(url)
        port = parts.port or TLS_PORT
    except ValueError:
        raise PostError("bad_url") from None
    host = parts.hostname or ""
    if parts.scheme != "https" or not host or "@" in parts.netloc or "\\" in url:
        raise PostError("bad_url")
    if port != TLS_PORT and port < FIRST_FREE_PORT:
        raise PostError("bad_url")
    with contextlib.suppress(ValueError):
        if not is_public(ipaddress.ip_address(host)):
            raise PostError("internal_address")
    if host == "localhost" or host.endswith((".localhost", ".internal", ".local")):
        raise PostError("internal_address")
    return parts


@dataclasses.dataclass(frozen=True, slots=True)
class Poster:
    """Posts; what is public and how names are resolved may be given, for tests on one machine."""

    allowed: Callable[[Address], bool] = is_public
    resolver: Resolve = resolve
    context: ssl.SSLContext = dataclasses.field(default_factory=ssl.create_default_context)
    check: Callable[[str], SplitResult] = check_url
    deadline_s: float = DEADLINE_S

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer.

        Raises:
            PostError: when there is none.
        """
        parts = self.check(url)
        host, port = str(parts.hostname), parts.port or TLS_PORT
        address = self._address(host, port)
        try:
            raw = socket.create_connection((address, port), timeout=self.deadline_s / 2)
        except OSError:
            raise PostError("unreachable") from None
        secure = self.context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
        late = threading.Event()

        def cut() -> None:
            late.set()
            with contextlib.suppress(OSError):
                # TLS's own shutdown would drop the session that the other thread is reading.
                socket.socket.shutdown(secure, socket.SHUT_RDWR)

        timer = threading.Timer(self.deadline_s, cut)
        timer.daemon = True
        timer.start()
        try:
            status = self._exchange(secure, parts, body, headers)
        except ssl.SSLError:
            raise PostError("too_slow" if late.is_set() else "tls") from None
        except TimeoutError:
            raise PostError("too_slow") from None
        except (OSError, http.client.HTTPException):
            raise PostError("too_slow" if late.is_set() else "unreachable") from None
        finally:
            timer.cancel()
            timer.join()  # so that it never cuts another connection that got the same number
            secure.close()
        if late.is_set():  # headers that were cut look like headers that ended
            raise PostError("too_slow")
        return status

    def _exchange(
        self, secure: ssl.SSLSocket, parts: SplitResult, body: bytes, headers: Mapping[str, str]
    ) -> int:
        secure.do_handshake()
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or TLS_PORT)
        connection.sock = secure
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", parts.netloc)
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Connection", "close")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status

    def _address(self, host: str, port: int) -> str:
        try:
            found = self.resolver(host, port)
        except (OSError, UnicodeError):  # a label that is empty or too long is no OSError
            raise PostError("unresolved") from None
        if not found:
            raise PostError("unresolved")
        for address in found:
            if not self.allowed(ipaddress.ip_address(address.partition("%")[0])):
                raise PostError("internal_address")
        return found[0]
