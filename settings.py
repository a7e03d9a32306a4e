"""The settings of the product: environment variables, or a `.env` file beside `app.py`.

Every name here is part of the outside contract and is listed in README. Nothing is read at
import: whoever needs settings calls `Settings()` once, at the edge, and passes it on.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

REAL_API = "https://api.weixin.qq.com"
REAL_OAUTH = "https://open.weixin.qq.com"
MASTER_KEY_BYTES = 32
REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+cluster://")
JOBS_SCHEMES = ("redis://", "rediss://", "unix://", "amqp://", "amqps://")
CommaList = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What the product is told from outside; each field's name is the variable's, in lower case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    profile: Literal["demo", "production"] = "production"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = ""
    redis_url: str = ""
    jobs_url: str = ""
    var_dir: Path = Path("var")
    wechat_app_id: str = ""
    wechat_app_secret: str = ""
    wechat_token: str = ""
    wechat_aes_key: str = ""
    wechat_api_base: str = ""
    wechat_turn_quota: int = Field(default=5, ge=0, description="customer messages per user turn")
    wechat_human_service: bool = Field(default=False, description="人工 hands over to it")
    wechat_notice_template: str = ""
    wechat_notice_field: str = "content"
    alipay_app_id: str = ""
    alipay_private_key: str = ""
    alipay_public_key: str = ""
    alipay_gateway: str = ""
    authority_url: str = ""
    authority_key: str = ""
    master_keys: CommaList = ()
    rollout: CommaList = ()
    liveness: Literal["challenge", "unsafe-none"] = "challenge"
    trusted_proxies: int = Field(
        default=0, ge=0, le=10, description="in front; each adds to X-Forwarded-For"
    )
    web_workers: int = Field(default=0, ge=0, description="0: one for each core")
    face_workers: int = Field(default=0, ge=0, description="0: one for each core to spare")
    alert_webhook: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("master_keys", "rollout", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("rollout")
    @classmethod
    def _divisions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in value:
            if not (prefix.isascii() and prefix.isdigit() and len(prefix) <= 6):
                raise ValueError(
                    f"{prefix!r} is not a division prefix: 1 to 6 digits, such as 440115 or 44"
                )
        return value

    @property
    def address(self) -> str:
        """The address in links and codes, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def api_base(self) -> str:
        """The base of the platform's API, without a slash at its end."""
        return (self.wechat_api_base or REAL_API).rstrip("/")

    @property
    def oauth_base(self) -> str:
        """The base of the platform's OAuth page, without a slash at its end."""
        return (self.wechat_api_base or REAL_OAUTH).rstrip("/")

    def problems(self) -> list[str]:
        """What forbids to serve real people with these settings: one sentence each, or nothing."""
        found = [
            f"{name.upper()} is not set"
            for name in (
                "public_url",
                "redis_url",
                "wechat_app_id",
                "wechat_app_secret",
                "wechat_token",
                "wechat_aes_key",
                "authority_url",
                "authority_key",
                "master_keys",
            )
            if not getattr(self, name)
        ]
        if self.public_url and not self.public_url.lower().startswith("https://"):
            found.append("PUBLIC_URL must begin with https://")
        if self.authority_url and not self.authority_url.lower().startswith("https://"):
            found.append("AUTHORITY_URL must begin with https://")
        if self.alert_webhook and not self.alert_webhook.lower().startswith("https://"):
            found.append("ALERT_WEBHOOK must begin with https://")
        if self.liveness == "unsafe-none":
            found.append("LIVENESS=unsafe-none accepts a photo of a photo; set it to challenge")
        if self.alipay_app_id:
            found += [
                f"{name.upper()} is not set, and ALIPAY_APP_ID is"
                for name in ("alipay_private_key", "alipay_public_key")
                if not getattr(self, name)
            ]
        return found + self.unusable()

    def unusable(self) -> list[str]:
        """What no profile and no command can work with: one sentence each, or nothing."""
        found = [
            f"{name} must begin with one of {', '.join(schemes)}"
            for name, value, schemes in (
                ("REDIS_URL", self.redis_url, REDIS_SCHEMES),
                ("JOBS_URL", self.jobs_url, JOBS_SCHEMES),
                ("WECHAT_API_BASE", self.wechat_api_base, ("https://", "http://")),
                ("PUBLIC_URL", self.public_url, ("https://", "http://")),
            )
            if value and not value.lower().startswith(schemes)
        ]
        found += [
            f"{name.upper()} has a port that is no number; in a password write @ : / # as %40 %3A "
            "%2F %23"
            for name in ("redis_url", "jobs_url", "authority_url", "wechat_api_base", "public_url")
            if not _has_port_in_order(getattr(self, name))
        ]
        if self.redis_url.startswith("redis+cluster://") and not self.jobs_url:
            found.append("with a Redis Cluster set JOBS_URL to a plain Redis or a RabbitMQ")
        found += master_key_problems(self.master_keys)
        if self.wechat_aes_key and not _is_aes_key(self.wechat_aes_key):
            found.append("WECHAT_AES_KEY must be the 43 characters of the EncodingAESKey")
        return found


def wrong_settings(error: ValidationError) -> str:
    """What is wrong with which setting, a line each; values are not repeated."""
    lines = [
        f"  - {'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return "\n".join(
        ["these settings cannot be read; mend them in the environment or in .env:", *lines]
    )


def master_key_problems(keys: tuple[str, ...]) -> list[str]:
    """Say what is wrong with `version:base64` master keys; the values are never repeated."""
    found = []
    seen = set()
    for place, entry in enumerate(keys, start=1):
        version, colon, value = entry.partition(":")
        if not (colon and version.isascii() and version.isdigit() and 0 < int(version) < 256):
            found.append(f"MASTER_KEYS entry {place} must read version:base64, version 1 to 255")
            continue
        if version in seen:
            found.append(f"MASTER_KEYS has version {version} twice")
        seen.add(version)
        try:
            size = len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != MASTER_KEY_BYTES:
            found.append(f"MASTER_KEYS version {version} must be base64 of 32 random bytes")
    return found


def _has_port_in_order(address: str) -> bool:
    """Whether an address has a port that can be one, or none at all."""
    try:
        _ = urlsplit(address).port
    except ValueError:
        return False
    return True


def _is_aes_key(key: str) -> bool:
    try:
        return len(key) == 43 and len(base64.b64decode(key + "=", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False
