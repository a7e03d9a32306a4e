"""The product's parts, put together for one process: each of web and worker uses what it needs."""

from __future__ import annotations

import dataclasses

import click
import redis

from bot import news
from bot.alipay.channel import AlipayChannel
from bot.behind import Behind
from bot.channel import Channel
from bot.conversations import Conversations
from bot.enrolling import Enrolling
from bot.figures import Figures
from bot.jobs import Jobs
from bot.outbox import Outbox
from bot.talk import Talk
from bot.wechat.channel import WeChatChannel
from commands import embedded, run
from credentials.authority import Authority, EmbeddedRegistry, GuardedAuthority, HttpAuthority
from credentials.connection import connect
from credentials.keyring import Keyring
from credentials.model import Holder
from credentials.renewal import tell_no_account
from credentials.sealing import BlindIndex, Sealer
from credentials.services import Services, build
from credentials.webhooks import later_never
from credentials.wording import LiveTexts
from handlers.dialog import DIALOG
from settings import Settings


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """The product, put together; web and worker each use what they need of it."""

    settings: Settings
    services: Services
    channel: WeChatChannel
    conversations: Conversations
    jobs: Jobs
    talk: Talk
    outbox: Outbox
    enrolling: Enrolling
    alipay: AlipayChannel | None = None


def keyring_of(settings: Settings) -> Keyring:
    """The master keys of the setting, or those that the demo keeps in `VAR_DIR`."""
    if settings.master_keys:
        return Keyring.from_entries(settings.master_keys)
    if not run.master_keys_path(settings).exists():
        raise click.ClickException(
            f"MASTER_KEYS is not set, and {run.master_keys_path(settings)} is not there: "
            "without the keys that sealed it nothing in this Redis can be read. "
            "Set MASTER_KEYS or VAR_DIR."
        )
    return Keyring.from_file(run.master_keys_path(settings))


def services_of(settings: Settings, database: redis.Redis, jobs: Jobs | None = None) -> Services:
    """The card's services; with `jobs`, holders are told of verifications in the chat."""
    keyring = keyring_of(settings)

    def decided(whose: Holder) -> None:
        if jobs is not None:
            jobs.enqueue("review_decided", holder=dataclasses.asdict(whose))

    return build(
        database,
        keyring,
        address=settings.address,
        authority=_authority(settings, database, Sealer(keyring)),
        rollout=settings.rollout,
        texts=LiveTexts(database),
        decided=decided,
        tell=tell_no_account if jobs is None else news.teller(jobs),
        later=later_never if jobs is None else jobs.enqueue,
    )


def _authority(settings: Settings, database: redis.Redis, sealer: Sealer) -> Authority:
    if settings.authority_url:
        return GuardedAuthority(HttpAuthority(settings.authority_url, settings.authority_key))
    return EmbeddedRegistry(database, sealer, BlindIndex(database, sealer))


def put_together(settings: Settings) -> Parts:
    """Build every part for one process."""
    url = settings.redis_url or embedded.url(settings.var_dir)
    database = connect(url)
    jobs = Jobs.at(settings.jobs_url, url)
    services = services_of(settings, database, jobs)
    channel = WeChatChannel(settings, database, services.sealer)
    alipay = AlipayChannel(settings) if settings.alipay_app_id else None
    channels: dict[str, Channel] = {
        each.name: each for each in (channel, alipay) if each is not None
    }
    figures = Figures(database, demo=settings.profile == "demo", steps=DIALOG.steps)
    conversations = Conversations(
        database, services.sealer, home=DIALOG.home, figures=figures, behind=Behind(database)
    )
    outbox = Outbox(database, services.sealer, channels, jobs.enqueue)
    talk = Talk(
        DIALOG,
        services,
        conversations,
        jobs=jobs,
        outbox=outbox,
        channels=channels,
        liveness=settings.liveness,
    )
    enrolling = Enrolling(talk, conversations, services, jobs)
    parts = (settings, services, channel, conversations, jobs, talk, outbox, enrolling, alipay)
    return Parts(*parts)
