"""Actors: a world in which everything is real but the platform, and phones that chat in it."""

from __future__ import annotations

import dataclasses
import datetime
import io
import itertools
import time
from collections.abc import Callable

import numpy as np
import redis
from PIL import Image

from bot import follow_up, news
from bot.assist import Assist
from bot.channel import (
    MediaGoneError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.conversations import Conversations
from bot.figures import Figures
from bot.jobs import QUEUES, Jobs
from bot.outbox import Outbox
from bot.talk import Talk
from credentials.authority import EmbeddedRegistry
from credentials.errors import UnavailableError
from credentials.keyring import Keyring
from credentials.model import Holder, Person, Verifier
from credentials.sealing import BlindIndex, Sealer
from credentials.services import Services, build
from handlers.dialog import DIALOG
from handlers.turn import Choices, Kind, Picture, Reply, Say, Turn
from tests.credentials.issuer import id_number, ring
from tests.faces import warping

ADDRESS = "https://card.example.gov.cn"
EILEEN, GRACE = "eileen", "grace"


class Platform:
    """A messaging platform: what is sent to whom, and the photos people sent."""

    name = "wechat"
    hands_over = False

    def __init__(self) -> None:
        self.sent: dict[str, list[Reply]] = {}
        self.media: dict[str, bytes] = {}
        self.down = False
        self.refuses = False
        self.unknown = False  # whom it is sent to
        self.meanwhile: Callable[[], object] = lambda: None  # when a photo is fetched

    def send(self, openid: str, reply: Reply) -> None:
        if self.unknown:
            raise UnreachableError("40003: invalid openid", 40003)
        if self.refuses:
            raise NotDeliveredError(45047, "out of response count limit")
        self.sent.setdefault(openid, []).append(reply)

    def notify(self, openid: str, reply: Reply) -> bool:
        del openid, reply
        return False

    def typing(self, openid: str) -> None:
        pass

    def fetch(self, media_id: str, *, limit: int) -> bytes:
        if self.down:
            raise PlatformUnavailableError("it does not answer")
        self.meanwhile()
        if media_id not in self.media or len(self.media[media_id]) > limit:
            raise MediaGoneError(media_id)
        return self.media[media_id]

    def sign_in_address(self, return_to: str, state: str) -> str:
        raise NotImplementedError

    def who(self, code: str) -> str:
        raise NotImplementedError


class Registry(EmbeddedRegistry):
    """The embedded registry, which can be told not to answer."""

    down = False
    asked = 0
    meanwhile: Callable[[], object] = staticmethod(lambda: None)  # while it is asked

    def check(self, name: str, id_number: str) -> Person:
        self.asked += 1
        if self.down:
            raise UnavailableError(what="authority")
        self.meanwhile()
        return super().check(name, id_number)


@dataclasses.dataclass
class World:
    """One issuer with its workers, and the time."""

    database: redis.Redis
    services: Services
    registry: Registry
    platform: Platform
    conversations: Conversations
    jobs: Jobs
    outbox: Outbox
    talk: Talk
    later_s: float = 0.0
    numbers: itertools.count[int] = dataclasses.field(default_factory=lambda: itertools.count(1))

    def clock(self) -> float:
        return time.time() + self.later_s

    def assist(self) -> Assist:
        """The helping hand of this world's operators."""
        return Assist(
            DIALOG,
            self.conversations,
            self.talk.transcripts,
            self.outbox,
            limits=self.services.limits,
            ask_again=self.talk.ask_again,
            withdraw=self.talk.withdraw,
            clock=self.clock,
        )

    def phone(self, name: str = "oPhone") -> Phone:
        return Phone(self, Holder("wechat", name))

    def register(
        self,
        sequence: int = 1,
        name: str = "张三丰",
        face: str = EILEEN,
        residence: str = "440115",
        birth: str = "19900307",
    ) -> Person:
        person = Person(
            name=name,
            id_number=id_number(sequence, birth),
            residence=residence,
            address="广东省广州市南沙区进港大道8号",
            valid_until=datetime.date(2040, 1, 1),
            portrait=warping.jpeg(warping.portrait(face)),
        )
        self.registry.add(person)
        return person

    def verifier(self, name: str = "海景酒店") -> Verifier:
        return self.services.verifiers.add(name, tuple(self.services.purposes))[0]

    def waiting(self, queue: str = "") -> int:
        """How many jobs wait."""
        return sum(f.length for f in self.jobs.figures() if queue in ("", f.queue))

    def work(self, most: int = 100) -> int:
        """Do what waits, one job after the other, as a worker would; gives how many."""
        done = 0
        self.services.receipts.pass_on(
            "test", follow_up.teller(self.talk.notify, self.services.aftermath)
        )
        told = news.functions(self.conversations, self.outbox, self.services.texts)
        functions = {**self.talk.functions(), **told}
        while done < most:
            for queue in sorted(set(QUEUES.values()), reverse=True):
                consumer = self.jobs.broker.consume(queue, prefetch=1, timeout=1)
                message = next(consumer)
                if message is not None:
                    functions[message.actor_name](**message.kwargs)
                    consumer.ack(message)
                    done += 1
                    break
            else:
                return done
        return done


@dataclasses.dataclass
class Phone:
    """A person with the chat open."""

    world: World
    holder: Holder

    def turn(self, kind: Kind, text: str = "", media_id: str = "", key: str = "") -> Turn:
        key = key or f"m{next(self.world.numbers)}"
        return Turn(self.holder, kind, text, media_id, self.world.clock(), key)

    def send(self, turn: Turn) -> str:
        """What is answered at once."""
        reply = self.world.talk.receive(turn)
        return words(reply)

    def say(self, text: str) -> str:
        return self.send(self.turn(Kind.TEXT, text))

    def tap(self, key: str) -> str:
        """A button of the menu."""
        return self.send(self.turn(Kind.CLICK, key))

    def send_photo(self, image: bytes, kind: Kind = Kind.IMAGE) -> str:
        media_id = f"media{len(self.world.platform.media)}"
        self.world.platform.media[media_id] = image
        return self.send(self.turn(kind, media_id=media_id))

    def follow(self) -> str:
        return self.send(self.turn(Kind.FOLLOW))

    def unfollow(self) -> str:
        return self.send(self.turn(Kind.UNFOLLOW))

    def hears(self) -> str:
        """What arrives after the workers are done, one message below the other."""
        self.world.work()
        arrived = self.world.platform.sent.pop(self.holder.openid, [])
        return "\n".join(words(reply) for reply in arrived)

    def receives(self) -> list[Reply]:
        """The same as messages."""
        self.world.work()
        return self.world.platform.sent.pop(self.holder.openid, [])

    def step(self) -> str:
        conversation = self.world.conversations.look(self.holder)
        return conversation.aside or conversation.step

    def enrols(self, person: Person, photo: bytes) -> str:
        """The whole way to a card."""
        for text in ("申请", "同意", person.name, person.id_number):
            self.say(text)
        self.hears()
        self.send_photo(photo)
        return self.hears()


def words(reply: Reply | None) -> str:
    match reply:
        case None:
            return ""
        case Say(text) | Choices(text):
            return text
        case Picture():
            return "[picture]"
        case _:
            return str(reply)


def make_world(
    database: redis.Redis,
    address: str,
    *,
    liveness: str = "unsafe-none",
    rollout: str = "",
    keyring: Keyring | None = None,
) -> World:
    keyring = keyring or ring()
    sealer = Sealer(keyring)
    registry = Registry(database, sealer, BlindIndex(database, sealer))
    jobs = Jobs.at("", address)

    def decided(holder: Holder) -> None:
        jobs.enqueue("review_decided", holder=dataclasses.asdict(holder))

    services = build(
        database,
        keyring,
        address=ADDRESS,
        authority=registry,
        rollout=(rollout,) if rollout else (),
        decided=decided,
        tell=news.teller(jobs),
    )
    platform = Platform()
    figures = Figures(database, steps=DIALOG.steps)
    conversations = Conversations(database, sealer, figures=figures)
    outbox = Outbox(database, sealer, {platform.name: platform}, jobs.enqueue)
    world: World
    talk = Talk(
        DIALOG,
        services,
        conversations,
        jobs=jobs,
        outbox=outbox,
        channels={platform.name: platform},
        liveness=liveness,
        clock=lambda: world.clock(),  # noqa: PLW0108 - the world is made last
    )
    world = World(database, services, registry, platform, conversations, jobs, outbox, talk)
    return world


def selfie(face: str = EILEEN, quality: int = 70, factor: float = 1.1) -> bytes:
    """Another picture of the same person."""
    return warping.jpeg(warping.lit(warping.portrait(face), factor), quality)


def doubtful() -> bytes:
    """A picture that may be Eileen's or not, as far as a machine can tell."""
    return warping.jpeg(warping.between(EILEEN, GRACE, 0.47))


def landscape() -> bytes:
    """A picture without anybody in it, always the same: no chance draws a face into it."""
    noise = np.random.default_rng(1).normal(128, 90, (480, 640, 1)).clip(0, 255).repeat(3, 2)
    buffer = io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()
