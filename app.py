"""Wires the parts together: `create_app(settings)` for the web, and the command line.

Nothing happens at import. The groups of commands live in `commands/`; what each part needs is
passed on to it from here and looked up nowhere else.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping

import click
import structlog
from flask import Blueprint, Flask
from pydantic import ValidationError

from bot import follow_up, news
from bot.alipay import webhook as alipay_webhook
from bot.assist import Assist
from bot.channel import ChannelError, PlatformUnavailableError, UnreachableError
from bot.conversations import BusyError
from bot.figures import ways
from bot.jobs import FACES, TALK, TALK_THREADS, Jobs, QueueFigures, all_of, run_worker, start_beside
from bot.wechat import menu, webhook
from bot.wechat.jssdk import JsSdk
from bot.wechat.mini import MiniProgram
from bot.wechat.quota import Quotas
from bot.wechat.tokens import seconds_left
from commands import (
    audit,
    backup,
    embedded,
    faces,
    keys,
    load,
    log,
    parties,
    people,
    registry,
    remind,
    rollout,
    run,
    simulate,
    terminals,
    wechat,
)
from credentials.authority import EmbeddedRegistry
from credentials.connection import connect, guard
from credentials.reviews import SERVICE_SECONDS
from credentials.services import Services
from credentials.wording import LiveTexts
from handlers import drawings
from handlers.dialog import DIALOG
from parts import Parts, put_together, services_of
from settings import Settings, wrong_settings
from web import (
    alerts,
    api,
    console,
    console_cases,
    console_flow,
    console_health,
    console_letters,
    console_people,
    console_texts,
    console_verifiers,
    demo,
    desk,
    enrol,
    health,
    holder,
    join,
    mini,
    offline,
    pages,
    proxies,
    reviews,
    scan,
    sessions,
    shell,
    simulator_proxy,
    terminal,
)
from web.condition import Condition, Gauge, check_audit, of_audit, of_deliveries, of_keys, of_redis
from web.console_shared import Register
from web.front import Front

MENU_SECONDS = 100  # one worker a round asks the platform for its menus
logger = structlog.get_logger("app")


def create_app(settings: Settings) -> Flask:
    """The web application of these settings: every page and address of the contract."""
    parts = put_together(settings)
    services = parts.services
    app = Flask("card", root_path=str(run.ROOT))
    sessions.install(app, services.keyring, secure=settings.address.startswith("https://"))
    pages.install(app, services, settings)
    measures = health.measure(app)
    condition = _condition(parts, app)
    card = holder.blueprint(
        services,
        parts.channel,
        refused=UnreachableError,
        unavailable=PlatformUnavailableError,
        others={parts.alipay.browser: parts.alipay} if parts.alipay else None,
        more=[
            *enrol.EnrolPages(services, parts.enrolling).views(),
            *offline.card_views(services),
        ],
    )
    if parts.alipay:
        app.register_blueprint(alipay_webhook.blueprint(parts.talk.take, settings, services.redis))
    for blueprint in (
        health.blueprint(_probes(parts), (condition,)),
        webhook.blueprint(parts.talk.receive, settings, services.redis),
        scan.blueprint(settings),
        card,
        enrol.drawings(drawings.draw),
        desk.blueprint(
            services,
            _page_signer(parts),
            demo=settings.profile == "demo",
            second_required=settings.profile == "production",
        ),
        join.blueprint(services),
        shell.blueprint(services),
        offline.blueprint(services),
        api.blueprint(services),
        terminal.blueprint(services),
        mini.blueprint(
            services,
            MiniProgram(settings, parts.channel.api),
            refused=UnreachableError,
            unavailable=PlatformUnavailableError,
        ),
        console.blueprint(
            services,
            parts.conversations,
            _console_places(parts, condition),
            second_required=settings.profile == "production",
        ),
        *_demo(parts),
    ):
        app.register_blueprint(blueprint)
    app.wsgi_app = Front(  # type: ignore[assignment, method-assign] # Flask's own way
        app.wsgi_app,
        [*api.hot(services), *holder.hot(services)],
        headers=pages.headers_of(settings),
        count=measures.count,
        broken=functools.partial(pages.broken, services.texts),
    )
    proxies.trust(app, settings.trusted_proxies)
    return app


def _condition(parts: Parts, app: Flask | None = None) -> Condition:
    """Every reading of this product's health; without `app` the webhook is read from files."""
    services, settings = parts.services, parts.settings
    database, live = services.redis, parts.conversations
    quotas = Quotas(parts.channel.api, database, settings.wechat_app_id)

    def queues(field: str) -> dict[str, float]:
        waiting = QueueFigures("receipts", *services.receipts.figures())
        return {
            each.queue: float(getattr(each, field)) for each in (*parts.jobs.figures(), waiting)
        }

    return Condition(
        [
            Gauge("webhook_seconds", lambda: health.latency(app, "/wechat", 0.95), "s", 1.0, 4.0),
            Gauge("quota_left", quotas.left, "share", warn=0.2, bad=0.05, low=True),
            *of_deliveries(parts.outbox.figures),
            Gauge(
                "token_seconds_left",
                lambda: seconds_left(database, settings.wechat_app_id),
                "s",
                warn=300,
                bad=30,
                low=True,
            ),
            Gauge("queue_length", lambda: queues("length"), warn=200, bad=2000),
            Gauge("queue_age_seconds", lambda: queues("age_s"), "s", warn=30, bad=120),
            Gauge("reviews", lambda: float(services.reviews.figures()[0]), warn=20, bad=200),
            Gauge(
                "review_age_seconds",
                lambda: services.reviews.figures()[1],
                "s",
                warn=SERVICE_SECONDS,
                bad=4 * SERVICE_SECONDS,
            ),
            *of_redis(database),
            *of_keys(database, services.keyring),
            *of_audit(database),
            Gauge("conversations", lambda: float(sum(live.counts().values()))),
            Gauge("people", live.signs),
        ]
    )


def _page_signer(parts: Parts) -> Callable[[str], Mapping[str, str] | None]:
    """Signs the desk's pages for the scanner inside WeChat (JS-SDK)."""
    services, settings = parts.services, parts.settings
    sdk = JsSdk(parts.channel.api, services.redis, services.sealer, settings.wechat_app_id)

    def configure(url: str) -> Mapping[str, str] | None:
        try:
            return sdk.config(url)
        except ChannelError:
            return None

    return configure


def _show_menus(parts: Parts) -> Callable[[], None]:
    """Publishes the account's menus once, whichever worker comes first; tried again if it fails."""
    done = threading.Event()

    def show() -> None:
        database = parts.services.redis
        if done.is_set():
            return
        with guard():
            if not database.set("{wechat}:menus", b"", nx=True, ex=MENU_SECONDS):
                return
        try:
            changed = menu.ensure(parts.channel.api, parts.services.texts)
        except ChannelError as error:
            logger.warning("no menus", reason=str(error))
            return
        done.set()
        if changed:
            logger.info("menus published")

    return show


def _tend(parts: Parts) -> Callable[[], None]:
    """What a worker does every two minutes; checks and alerts are one worker's turn."""
    services = parts.services
    told = alerts.webhook(parts.settings.alert_webhook)
    watch = alerts.Alerts(services.redis, _condition(parts), told)
    quotas = Quotas(parts.channel.api, services.redis, parts.settings.wechat_app_id)

    def check_all() -> None:
        if watch.mine():
            all_of(lambda: check_audit(services.redis, services.audit), quotas.renew, watch.check)()

    # Each for itself: what is wrong with the queue is no reason not to be told of it.
    return all_of(parts.talk.tend, services.receipts.tend, _show_menus(parts), check_all)


def _console_places(parts: Parts, condition: Condition) -> Iterator[Register]:
    """The console's places beside those that need nothing but the card's services."""
    services = parts.services
    name_of = console.step_names(services)
    assist = Assist(
        DIALOG,
        parts.conversations,
        parts.talk.transcripts,
        parts.outbox,
        limits=services.limits,
        ask_again=parts.talk.ask_again,
        withdraw=parts.talk.withdraw,
    )
    yield console_people.register(services, assist, BusyError, name_of)
    yield reviews.register(services)
    yield console_flow.register(services, parts.conversations.figures, ways(DIALOG), name_of)
    yield console_health.register(services.redis, condition)
    yield console_cases.register(services)
    yield console_verifiers.register(services)
    yield console_letters.register(services, parts.outbox)
    if isinstance(services.texts, LiveTexts):
        yield console_texts.register(services, services.texts)


def _demo(parts: Parts) -> Iterator[Blueprint]:
    """What the demo profile adds: the way to the simulator, and the made-up citizens."""
    settings, registry = parts.settings, parts.services.authority
    secret = os.environ.get(run.DEMO_SECRET, "")
    if settings.profile != "demo" or not secret:
        return
    yield simulator_proxy.blueprint(settings.api_base, settings.address)
    if isinstance(registry, EmbeddedRegistry):
        yield demo.blueprint(registry, parts.services.redis, secret)


def _probes(parts: Parts) -> dict[str, health.Probe]:
    """What `/readyz` asks: Redis, the broker of jobs, and the keys."""
    keyring = parts.services.keyring
    return {
        "redis": parts.services.redis.ping,
        "jobs": parts.jobs.figures,
        "keys": lambda: keyring.derive(keyring.current, "readiness"),
    }


@contextlib.contextmanager
def opened_services() -> Iterator[Services]:
    """The services for one command, against the same Redis as the running product."""
    settings = Settings()
    with contextlib.ExitStack() as stack:
        try:
            url = settings.redis_url or stack.enter_context(embedded.borrowed(settings.var_dir))
        except embedded.EmbeddedRedisError as error:
            raise click.ClickException(str(error)) from error
        if not settings.master_keys and not settings.redis_url:
            run.make_master_keys(settings)
        database = connect(url)
        stack.callback(database.close)
        yield services_of(settings, database, Jobs.at(settings.jobs_url, url))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.pass_context
def main(context: click.Context) -> None:
    """A virtual identity card inside a messaging account: run it, and look after it."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise click.ClickException(wrong_settings(error)) from error
    unusable = settings.unusable()
    if unusable and context.invoked_subcommand != "serve":  # which names them among all others
        lines = "\n".join(f"  - {problem}" for problem in unusable)
        raise click.ClickException(f"mend these settings in the environment or in .env:\n{lines}")
    log.configure(settings.log_level)
    context.obj = opened_services


@main.command(hidden=True)
def web() -> None:
    """Serve pages, the API and the webhook; `run` and `serve` start it."""
    run.serve_web(Settings(), "app:create_app_from_environment")


@main.command(hidden=True)
def worker() -> None:
    """Do background jobs until SIGTERM; `run` and `serve` start it."""
    health.forget_dead()
    parts = put_together(Settings())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    told = news.functions(parts.conversations, parts.outbox, parts.services.texts)
    settings, services = parts.settings, parts.services
    url = settings.redis_url or embedded.url(settings.var_dir)
    sending = follow_up.start_webhooks(Jobs.at(settings.jobs_url, url), services.webhooks, stop)
    telling = follow_up.start_receipts(
        services_of(settings, connect(url)).receipts,
        follow_up.teller(parts.talk.notify, services.aftermath),
        stop,
    )
    done = {**parts.talk.functions(), **told, **parts.enrolling.functions()}
    parts.talk.twins.prepare_beside()
    looking = start_beside(Jobs.at(settings.jobs_url, url), done, stop, queue=FACES)
    tend = _tend(parts)
    run_worker(parts.jobs, done, stop, tend=tend, threads=TALK_THREADS, queues={TALK})
    looking.join()
    sending.join()
    telling.join()


def create_app_from_environment() -> Flask:
    """What the server's processes call: the application of the environment's settings."""
    settings = Settings()
    log.configure(settings.log_level)
    return create_app(settings)


for command in (
    run.run,
    run.serve,
    load.load,
    simulate.simulate,
    people.person,
    parties.verifier,
    parties.staff,
    parties.operator,
    terminals.terminal,
    rollout.rollout,
    keys.keys,
    audit.audit,
    backup.backup,
    backup.restore,
    registry.registry,
    remind.remind,
    faces.group,
    wechat.wechat,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
