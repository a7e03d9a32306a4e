"""The load player: its people, its line, its platform, and a game against a real product."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from commands.load import load
from commands.player.faults import NO_FAULT, Fault
from commands.player.game import Game, Rules
from commands.player.line import Account, Line, LineError
from commands.player.people import GONE, OTHER_PHOTO, SHARES, Player, Turn, numbers, players
from commands.player.platform import Platform
from commands.player.tally import Ear
from credentials import id_number
from tests.simulator import account as robot
from tests.simulator.account import AES_KEY, APP_ID, TOKEN

ACCOUNT = Account(APP_ID, TOKEN, AES_KEY)
RULES = Rules(100.0, patience=1.0)
PATIENCE = 60.0  # for an answer; an end, not a wait, on a machine that does more
POOR = "光线太暗。这不计入次数。"


def test_the_same_seed_gives_the_same_people() -> None:
    one, two, other = (players(50, random.Random(seed), run="x") for seed in (1, 1, 2))
    assert one == two != other
    assert len({player.id_number for player in one}) == 50


def test_every_mistake_is_made() -> None:
    found = players(300, random.Random(1), run="x", faces=0.5)
    assert {player.play for player in found} == set(SHARES)
    assert any(player.gets_card for player in found)
    assert {player.ends_at for player in found} >= {"home", "consent", "name", "id_number", "face"}


def test_without_faces_nobody_sends_a_photo() -> None:
    assert not any(player.gets_card for player in players(300, random.Random(1), run="x"))


def test_numbers_are_valid_and_never_repeat() -> None:
    made = numbers(random.Random(1))
    found = [next(made) for _ in range(2000)]
    assert len(set(found)) == 2000
    for number in found[:50]:
        assert id_number.parse(number).value == number


def test_given_identities_are_used() -> None:
    found = players(1, random.Random(1), run="x", identities=[("王小明", "11010519491231002X")])
    assert (found[0].name, found[0].id_number) == ("王小明", "11010519491231002X")


def play(url: str, *people: Player, rules: Rules = RULES) -> Game:
    """Play against a webhook."""
    chance = random.Random(1)
    platform = Platform(chance)
    line = Line(url, ACCOUNT, PATIENCE)
    game = Game(line, platform, rules, photos=(b"", b""), ledger=io.StringIO(), chance=chance)

    async def run() -> None:
        await platform.open("127.0.0.1", 0)
        await game.play(people, lambda: None)
        await platform.close()

    asyncio.run(run())
    return game


def somebody(*turns: tuple[str, str]) -> Player:
    return Player("oA", "王小明", "", "straight", tuple(Turn(a, b, "home") for a, b in turns))


def test_what_comes_is_counted_and_what_does_not_is_lost() -> None:
    server = robot.Account()
    server.answer = lambda message: f"收到 申请：{message.get('Content', '')}"
    try:
        url = server.url.removesuffix("/wechat")
        game = play(url, somebody(("你好", "你好"), ("再见", "从不")))
    finally:
        server.close()
    assert len(game.tally.answers) == 2  # the greeting is answered, too
    assert [line.split(" (")[0] for line in game.tally.lost] == ["oA turn 2"]
    assert game.tally.errors.total() == 0
    assert game.tally.redelivered == 0


def test_an_answer_given_to_both_copies_is_said_twice() -> None:
    server = robot.Account()
    server.answer = lambda _message: "申请"
    try:
        game = play(
            server.url.removesuffix("/wechat"), somebody(), rules=Rules(100.0, 1.0, patience=1.0)
        )
    finally:
        server.close()
    assert [told.split()[0] for told in game.tally.doubled] == ["oA"]


@pytest.mark.parametrize(("later", "twice"), [("好", False), (POOR, True)])
def test_a_photo_that_was_gone_is_no_answer_to_the_next(later: str, twice: bool) -> None:
    """Both sentences end alike: that the try does not count."""
    photos = iter([f"{GONE}。这不计入次数。", POOR])

    def answer(message: Mapping[str, object]) -> str:
        if message["MsgType"] == "image":
            return next(photos)
        return later if message.get("Content") else "申请"

    server = robot.Account()
    server.answer = answer
    gone = Fault("every first photo is gone", 1.0, gone=True)
    try:
        url = server.url.removesuffix("/wechat")
        player = somebody((OTHER_PHOTO, "还可以再试|不计入次数"), ("你好", later))
        game = play(url, player, rules=Rules(100.0, patience=1.0, fault=gone))
    finally:
        server.close()
    assert (game.tally.gone, game.tally.lost) == (1, [])
    assert bool(game.tally.doubled) == twice


def test_a_server_that_refuses_is_an_error() -> None:
    async def run() -> None:
        line = Line("http://127.0.0.1:9", ACCOUNT)
        with pytest.raises(LineError, match="ConnectionRefusedError"):
            await line.push({"FromUserName": "oA", "MsgType": "text"})

    asyncio.run(run())


def test_a_connection_that_the_server_ends_carries_no_second_push() -> None:
    """The tests' own server throws away what comes behind its answer, and answers it never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\nsuccess")
        try:
            await reader.read()
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        line = Line(f"http://127.0.0.1:{port}", ACCOUNT, PATIENCE)
        for _ in range(2):
            assert await line.push({"FromUserName": "oA", "MsgType": "text"}) == ("", 0)
        await line.close()
        server.close()

    asyncio.run(run())


def test_the_platform_speaks_as_the_product_expects() -> None:
    heard: list[tuple[str, str]] = []

    async def ask(port: str, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        writer.close()
        await writer.wait_closed()
        return body

    async def run() -> None:
        platform = Platform(random.Random(1))
        platform.begin(lambda *told: heard.append(told), lambda *_: None, NO_FAULT)
        port = (await platform.open("127.0.0.1", 0)).rpartition(":")[2]
        token = await ask(
            port, b"POST /cgi-bin/stable_token HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"
        )
        token = json.loads(token)["access_token"]
        sent = json.dumps({"touser": "oA", "msgtype": "text", "text": {"content": "你好"}}).encode()
        head = f"POST /cgi-bin/message/custom/send?access_token={token} HTTP/1.1\r\n"
        post = f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent
        assert json.loads(await ask(port, post))["errcode"] == 0
        media = platform.keep(b"photo")
        get = f"GET /cgi-bin/media/get?access_token={token}&media_id={media} HTTP/1.1\r\n\r\n"
        assert await ask(port, get.encode()) == b"photo"
        gone = await ask(port, get.replace(media, "x").encode())
        assert json.loads(gone)["errcode"] == 40007
        platform.end_tokens()
        assert json.loads(await ask(port, post))["errcode"] == 40001
        await platform.close()

    asyncio.run(run())
    assert heard == [("oA", "你好")]


def test_an_ear_notices_repeats_within_a_turn_only() -> None:
    ear = Ear()
    assert [ear.hear(text) for text in ("a", "b", "a")] == [False, False, True]
    ear.speak()
    assert not ear.hear("a")


def test_identities_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    for text, why in (
        ("{}", "JSON object of name and id_number"),
        ("nonsense", "JSON object"),
        ('{"name": "王小明", "id_number": "1"}', "has 1 people, and 2"),
    ):
        path.write_text(text, "utf-8")
        done = CliRunner().invoke(load, ["--people", "2", "--identities", str(path)])
        assert done.exit_code == 2
        assert why in " ".join(done.output.split())


def test_a_ledger_that_cannot_be_written_is_said_before_a_product_starts(tmp_path: Path) -> None:
    place = str(tmp_path / "nowhere" / "load.jsonl")
    said = CliRunner().invoke(load, ["--ledger", place])
    assert said.exit_code == 1
    assert "see --ledger" in said.output
    assert "starting" not in said.output
