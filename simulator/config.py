"""What a simulator is told at its start: arguments for places, the environment for secrets."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

HOUR = 3600.0
DEFAULT_PORT = 8001


@dataclasses.dataclass(frozen=True)
class Config:
    """The official account, where it listens, and the platform's rules.

    Attributes:
        webhook: the account's server address, to which pushes go.
        app_id, secret, token, aes_key: the account's developer settings; `aes_key` is the
            43 characters of the EncodingAESKey.
        folder: where chats and media are kept, so that a restart finds them.
        base: this platform's own address, in the links that it gives out.
        mode: `safe`, `compat` or `plain` pushes.
        format: `xml` or `json` pushes.
        citizens_url: answers GET with the made-up citizens and POST with a new one; empty: none.
        citizens_key: sent to it as a bearer token, if there is one.
        deadline: seconds that a webhook has for an answer.
        deliveries: how often a push is tried in all.
        pause: seconds between two tries of which the first could not connect.
        window: seconds in which a message of a person may be answered freely.
        message_quota, touch_quota: customer messages after a message; after a click, follow
            or scan.
        touch_window: seconds that the second quota lasts.
        media_life: seconds that temporary media are kept.
        product: the product's address, for the terminal; empty: the webhook's.
        terminal_id, terminal_key: of the terminal that it plays; empty: none.
        oauth_domain: host that OAuth may return to; empty: any.
        alipay_app_id: of a life account that is played as well; empty: none.
        alipay_webhook, alipay_private_key, alipay_app_public_key: its server's address, the
            platform's own key and the application's public one, as bare base64.
        alipay_charset: in which its pushes are written.
    """

    webhook: str
    app_id: str = "wx0000000000000001"
    secret: str = ""
    token: str = ""
    aes_key: str = ""
    folder: Path | None = None
    base: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    mode: str = "safe"
    format: str = "xml"
    account_name: str = "网证"
    original_id: str = "gh_5f1d3c8a9b02"
    citizens_url: str = ""
    citizens_key: str = ""
    deadline: float = 5.0
    deliveries: int = 3
    pause: float = 1.0
    window: float = 48 * HOUR
    message_quota: int = 5
    touch_quota: int = 3
    touch_window: float = 60.0
    media_life: float = 72 * HOUR
    oauth_domain: str = ""
    product: str = ""
    terminal_id: str = ""
    terminal_key: str = ""
    alipay_app_id: str = ""
    alipay_webhook: str = ""
    alipay_private_key: str = ""
    alipay_app_public_key: str = ""
    alipay_charset: str = "GBK"


def parse(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Config, str, int]:
    """Read a command line and the SIM_… variables.

    Returns:
        The configuration, and the host and port to listen on.
    """
    told = os.environ if environment is None else environment
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)

    def option(name: str, default: str, text: str) -> None:
        variable = "SIM_" + name.upper().replace("-", "_")
        parser.add_argument(
            f"--{name}", default=told.get(variable, default), help=f"{text} ({variable})"
        )

    option("host", "127.0.0.1", "where it listens")
    option("port", str(DEFAULT_PORT), "the port it listens on")
    option("base", "", "its own address in links; default http://HOST:PORT")
    option("webhook", "http://127.0.0.1:8000/wechat", "the account's server")
    option("app-id", Config.app_id, "AppID")
    option("secret", "", "AppSecret")
    option("token", "", "the webhook's token")
    option("aes-key", "", "EncodingAESKey")
    option("folder", "", "where chats are kept; empty: nowhere")
    option("mode", "safe", "safe, compat or plain pushes")
    option("format", "xml", "xml or json pushes")
    option("account-name", Config.account_name, "the account's name in the chat")
    option("citizens-url", "", "the made-up citizens' address")
    option("citizens-key", "", "bearer token for that address")
    option("product", "", "the product's address; default the webhook's host")
    option("terminal-id", "", "the accredited terminal that it plays")
    option("terminal-key", "", "that terminal's private key")
    option("oauth-domain", "", "the only host OAuth returns to")
    option("alipay-app-id", "", "AppID of a life account to play as well")
    option("alipay-webhook", "http://127.0.0.1:8000/alipay", "the life account's server")
    option("alipay-private-key", "", "the life account platform's private key")
    option("alipay-app-public-key", "", "the life account's public key")
    option("alipay-charset", "GBK", "GBK or UTF-8 pushes of the life account")
    option("message-quota", str(Config.message_quota), "customer messages after a message")
    given = vars(parser.parse_args(arguments))
    host, port = given.pop("host"), int(given.pop("port"))
    given["base"] = (given["base"] or f"http://{host}:{port}").rstrip("/")
    given["product"] = (given["product"] or _origin(given["webhook"])).rstrip("/")
    given["folder"] = Path(given["folder"]) if given["folder"] else None
    given["message_quota"] = int(given["message_quota"])
    return Config(**given), host, port


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
