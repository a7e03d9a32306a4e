from __future__ import annotations

import contextlib
import logging
import socket
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from werkzeug.wrappers import Response

from bot.channel import (
    Channel,
    ChannelError,
    MediaGoneError,
    NotDeliveredError,
    PlatformUnavailableError,
    UnreachableError,
)
from bot.wechat import menu, wire
from bot.wechat.channel import WeChatChannel
from bot.wechat.client import RefusedError
from credentials.sealing import Sealer
from handlers.turn import Choices, HandOver, Link, Picture, Reply, Say
from tests.bot.conftest import settings_for
from tests.bot.platform import Answer, FakePlatform, connections
from texts import LANGUAGES, Texts

PNG = b"\x89PNG\r\n\x1a\n rest of a picture"
SEND = "message/custom/send"


def test_it_is_a_channel(channel: WeChatChannel) -> None:
    as_interface: Channel = channel
    assert as_interface.name == "wechat"


class TestSend:
    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            (Say("你好 ]]> <b>"), {"msgtype": "text", "text": {"content": "你好 ]]> <b>"}}),
            (
                Link("Your card", "Tap", "https://card.example/card"),
                {
                    "msgtype": "news",
                    "news": {
                        "articles": [
                            {
                                "title": "Your card",
                                "description": "Tap",
                                "url": "https://card.example/card",
                            }
                        ]
                    },
                },
            ),
            (
                Choices("Agree?", ("agree", "cancel")),
                {
                    "msgtype": "msgmenu",
                    "msgmenu": {
                        "head_content": "Agree?",
                        "list": [
                            {"id": "1", "content": "agree"},
                            {"id": "2", "content": "cancel"},
                        ],
                        "tail_content": "",
                    },
                },
            ),
            (Picture(PNG), {"msgtype": "image", "image": {"media_id": "M1"}}),
        ],
    )
    def test_each_kind(
        self,
        wechat: FakePlatform,
        channel: WeChatChannel,
        reply: Reply,
        expected: dict[str, object],
    ) -> None:
        channel.send("oA", reply)
        assert wechat.sent() == [expected]
        assert wechat.asked(SEND)[0].body["touser"] == "oA"

    def test_chinese_goes_as_it_is_written(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        channel.send("oA", Say("你好"))
        assert "你好".encode() in wechat.asked(SEND)[0].raw

    @pytest.mark.parametrize(
        ("image", "name"), [(PNG, "picture.png"), (b"\xff\xd8\xff", "picture.jpg")]
    )
    def test_a_picture_is_uploaded_whole(
        self, wechat: FakePlatform, channel: WeChatChannel, image: bytes, name: str
    ) -> None:
        channel.send("oA", Picture(image))
        [upload] = wechat.asked("media/upload")
        assert (upload.file, upload.file_name, upload.query["type"]) == (image, name, "image")

    def test_a_picture_that_is_refused_is_told_in_words(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        wechat.next("media/upload", 40005)
        channel.send("oA", Picture(PNG, instead="open your card"))
        assert wechat.sent() == [{"msgtype": "text", "text": {"content": "open your card"}}]

    def test_a_picture_too_large_without_words_is_refused(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        with pytest.raises(RefusedError):
            channel.send("oA", Picture(b"x" * (10 * 1024 * 1024 + 1)))
        assert not wechat.calls

    def test_choices_fall_back_to_text(self, wechat: FakePlatform, channel: WeChatChannel) -> None:
        wechat.next(SEND, 40008)
        channel.send("oA", Choices("Agree?", ("agree",)))
        said = wechat.sent()[-1]["text"]["content"]
        assert said.startswith("Agree?")
        assert "weixin://bizmsgmenu?msgmenucontent=agree&msgmenuid=1" in said

    def test_choices_that_are_long_keep_their_answers(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        wechat.next(SEND, 40008)
        channel.send("oA", Choices("好" * 2000, ("agree",)))
        said = wechat.sent()[-1]["text"]["content"]
        assert len(said.encode()) <= 2048
        assert said.endswith(">agree</a>")

    @pytest.mark.parametrize(
        "reply", [Picture(PNG, instead="open"), HandOver(), Say("好" * 201), Say("")]
    )
    def test_what_does_not_fit_a_template_is_not_sent_as_one(
        self, wechat: FakePlatform, channel: WeChatChannel, reply: Reply
    ) -> None:
        channel._template = "T1"
        assert not channel.notify("oA", reply)
        assert not wechat.calls

    def test_without_a_template_nothing_fits(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        assert not channel.notify("oA", Say("short"))
        assert not wechat.calls

    def test_a_short_text_fits_a_template(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        channel._template = "T1"
        assert channel.notify("oA", Say("海景酒店"))
        (call,) = wechat.asked("message/template/send")
        assert call.body["data"] == {"content": {"value": "海景酒店"}}
        assert call.body["template_id"] == "T1"

    def test_human_service_waits_for_a_turn(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        with pytest.raises(NotDeliveredError):
            channel.send("oA", HandOver())
        assert not wechat.calls

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (-1, PlatformUnavailableError),
            (45009, PlatformUnavailableError),
            (45015, NotDeliveredError),
            (45047, NotDeliveredError),
            (43101, NotDeliveredError),
            (40003, UnreachableError),
            (43004, UnreachableError),
            (40007, MediaGoneError),
            (48001, RefusedError),
            (99999, RefusedError),
        ],
    )
    def test_error_codes_become_types(
        self,
        wechat: FakePlatform,
        channel: WeChatChannel,
        code: int,
        error: type[ChannelError],
    ) -> None:
        """Row 9, this module's part; the outbox tests what is done about each."""
        wechat.next(SEND, code)
        with pytest.raises(error) as raised:
            channel.send("oA", Say("hello"))
        assert getattr(raised.value, "code", code) == code
        assert len(wechat.asked(SEND)) == 1

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_broken_platform_is_unavailable(
        self, wechat: FakePlatform, channel: WeChatChannel, status: int
    ) -> None:
        wechat.next(SEND, Response("<html>oops", status))
        with pytest.raises(PlatformUnavailableError):
            channel.send("oA", Say("hello"))

    @pytest.mark.parametrize("body", ["", "<html>", "[]", '{"errcode":"x"}', "[" * 5000, "null"])
    def test_an_answer_that_is_no_answer(
        self, wechat: FakePlatform, channel: WeChatChannel, body: str
    ) -> None:
        wechat.next(SEND, Response(body))
        with pytest.raises(ChannelError):
            channel.send("oA", Say("hello"))

    def test_an_endless_answer_is_cut(self, wechat: FakePlatform, channel: WeChatChannel) -> None:
        wechat.next(SEND, Response(b" " * (wire.MOST_ANSWER_BYTES + 1)))
        with pytest.raises(PlatformUnavailableError):
            channel.send("oA", Say("hello"))

    def test_no_platform_at_all(self, database: redis.Redis, sealer: Sealer) -> None:
        with socket.socket() as closed:  # nobody else's meanwhile, and nobody listens
            closed.bind(("127.0.0.1", 0))
            base = f"http://127.0.0.1:{closed.getsockname()[1]}"
            channel = WeChatChannel(settings_for(base), database, sealer)
            with contextlib.closing(channel), pytest.raises(PlatformUnavailableError):
                channel.send("oA", Say("hello"))

    def test_a_silent_platform_times_out(
        self, database: redis.Redis, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "WAIT_SECONDS", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            base = f"http://127.0.0.1:{silent.getsockname()[1]}"
            channel = WeChatChannel(settings_for(base), database, sealer)
            unavailable = pytest.raises(PlatformUnavailableError, match="ReadTimeout")
            with contextlib.closing(channel), unavailable:
                channel.send("oA", Say("hello"))
            assert connections(silent) == 1  # one wait, and no other try

    def test_neither_errors_nor_logs_repeat_secrets(
        self,
        wechat: FakePlatform,
        channel: WeChatChannel,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.INFO)
        wechat.next("stable_token", Response("", 404))
        wechat.token_number = 10**12  # no hour that is written down looks like it
        channel.send("oA", Say("hello"))
        wechat.next(SEND, Response("", 500))
        with pytest.raises(PlatformUnavailableError) as raised:
            channel.send("oA", Say("hello"))
        ours = [each.getMessage() for each in caplog.records if each.name != "werkzeug"]
        written = "".join(ours) + str(raised.value) + capfd.readouterr().out
        assert "a secret" not in written
        assert "a+secret" not in written
        assert f"T{wechat.token_number}" not in written


def test_typing_is_shown_and_its_failure_does_not_matter(
    wechat: FakePlatform, channel: WeChatChannel
) -> None:
    wechat.next("message/custom/typing", {"errcode": 0}, 45080, Response("", 500))
    for _ in range(3):
        channel.typing("oA")
    assert wechat.asked("message/custom/typing")[0].body == {"touser": "oA", "command": "Typing"}


class TestFetch:
    def test_a_photo(self, wechat: FakePlatform, channel: WeChatChannel) -> None:
        wechat.next("media/get", Response(PNG, content_type="image/png"))
        assert channel.fetch("M7", limit=1000) == PNG
        assert wechat.asked("media/get")[0].query["media_id"] == "M7"

    def test_a_video_is_fetched_from_its_own_address(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        wechat.next("media/get", {"video_url": f"{wechat.base}/video/1"})
        wechat.next("video/1", Response(b"a video", content_type="video/mp4"))
        assert channel.fetch("M7", limit=1000) == b"a video"
        assert "access_token" not in wechat.asked("video/1")[0].query

    @pytest.mark.parametrize(
        "answer",
        [
            {"errcode": 40007, "errmsg": "invalid media_id"},
            {"errcode": 0, "errmsg": "ok"},
            {"video_url": "file:///etc/passwd"},
            Response(b"x" * 1001, content_type="image/jpeg"),
            Response("gone", 404),
            Response("{not json", content_type="text/plain"),
        ],
    )
    def test_what_is_no_file(
        self, wechat: FakePlatform, channel: WeChatChannel, answer: Answer
    ) -> None:
        wechat.next("media/get", answer)
        with pytest.raises(MediaGoneError):
            channel.fetch("M7", limit=1000)

    def test_a_video_larger_than_allowed(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        wechat.next("media/get", {"video_url": f"{wechat.base}/video/1"})
        wechat.next("video/1", Response(b"x" * 1001))
        with pytest.raises(MediaGoneError):
            channel.fetch("M7", limit=1000)

    def test_an_expired_token_is_renewed(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        wechat.next("media/get", 42001, Response(PNG, content_type="image/png"))
        assert channel.fetch("M7", limit=1000) == PNG


class TestWho:
    def test_where_the_browser_is_sent(self, wechat: FakePlatform, channel: WeChatChannel) -> None:
        address = channel.sign_in_address("https://card.example/card/back?a=1&b=2", "st&te")
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == wechat.base
        assert (parts.path, parts.fragment) == ("/connect/oauth2/authorize", "wechat_redirect")
        assert parse_qs(parts.query) == {
            "appid": ["wxapp"],
            "redirect_uri": ["https://card.example/card/back?a=1&b=2"],
            "response_type": ["code"],
            "scope": ["snsapi_base"],
            "state": ["st&te"],
        }

    def test_a_code_names_the_person(self, wechat: FakePlatform, channel: WeChatChannel) -> None:
        wechat.next("sns/oauth2/access_token", {"openid": "oA", "is_snapshotuser": 0})
        assert channel.who("CODE") == "oA"
        assert wechat.asked("sns/oauth2/access_token")[0].query == {
            "appid": "wxapp",
            "secret": "a secret & more",
            "code": "CODE",
            "grant_type": "authorization_code",
        }

    @pytest.mark.parametrize(
        "answer",
        [
            {"errcode": 40029, "errmsg": "invalid code"},
            {"errcode": 40163, "errmsg": "code been used"},
            {"openid": "oA", "is_snapshotuser": 1},
            {"openid": ""},
            {"openid": ["oA"]},
            {},
        ],
    )
    def test_a_code_that_names_nobody(
        self, wechat: FakePlatform, channel: WeChatChannel, answer: Answer
    ) -> None:
        wechat.next("sns/oauth2/access_token", answer)
        with pytest.raises(UnreachableError):
            channel.who("CODE")

    @pytest.mark.parametrize("code", ["", "x" * 513])
    def test_what_is_no_code_is_not_asked_about(
        self, wechat: FakePlatform, channel: WeChatChannel, code: str
    ) -> None:
        with pytest.raises(UnreachableError):
            channel.who(code)
        assert not wechat.calls

    @pytest.mark.parametrize("answer", [{"errcode": -1}, Response("", 502), Response("", 404)])
    def test_a_platform_that_cannot_be_asked(
        self, wechat: FakePlatform, channel: WeChatChannel, answer: Answer
    ) -> None:
        wechat.next("sns/oauth2/access_token", answer)
        with pytest.raises(PlatformUnavailableError):
            channel.who("CODE")


class TestMenu:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_it_has_the_six_words_and_fits(self, language: str) -> None:
        made = menu.menu(Texts(), language)["button"]
        keys = []
        assert len(made) <= 3
        for button in made:
            assert len(button["name"].encode()) <= menu.MOST_BUTTON_BYTES
            below = button.get("sub_button", [])
            assert len(below) <= 5
            for inner in below:
                assert len(inner["name"].encode()) <= menu.MOST_INNER_BUTTON_BYTES
            keys += [each["key"] for each in (below or [button])]
        assert sorted(keys) == sorted(["APPLY", "CARD", "UPGRADE", "HISTORY", "FREEZE", "HELP"])

    def test_it_is_published_in_each_language(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        menu.publish(channel.api, Texts())
        assert len(wechat.asked("menu/create")) == 1
        rules = [call.body["matchrule"] for call in wechat.asked("menu/addconditional")]
        assert rules == [{"language": "en"}, {"language": "id"}]

    def test_it_is_published_only_where_it_differs(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        texts = Texts()
        wechat.next("menu/get", 46003)
        assert menu.ensure(channel.api, texts)
        shown = wechat.asked("menu/create")[0].body
        for button in shown["button"]:
            button.setdefault("sub_button", [])  # as the platform shows it
        others = [call.body | {"menuid": 1} for call in wechat.asked("menu/addconditional")]
        wechat.rules["menu/get"] = lambda _call: {"menu": shown, "conditionalmenu": others}
        assert not menu.ensure(channel.api, texts)
        shown["button"][0]["key"] = "OTHER"
        assert menu.ensure(channel.api, texts)
        assert len(wechat.asked("menu/create")) == 2

    @pytest.mark.parametrize(
        "shown", [{}, {"menu": []}, {"menu": {"button": 1}}, {"conditionalmenu": [1, {}]}]
    )
    def test_whatever_is_shown_instead_is_replaced(
        self, wechat: FakePlatform, channel: WeChatChannel, shown: Answer
    ) -> None:
        wechat.next("menu/get", shown)
        assert menu.ensure(channel.api, Texts())

    def test_an_account_without_menus_says_so(
        self, wechat: FakePlatform, channel: WeChatChannel
    ) -> None:
        wechat.next("menu/create", 48001)
        with pytest.raises(RefusedError):
            menu.publish(channel.api, Texts())


def test_many_threads_share_a_channel(wechat: FakePlatform, channel: WeChatChannel) -> None:
    threads = [
        threading.Thread(target=channel.send, args=(f"o{number}", Say(str(number))))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = sorted(call.body["touser"] for call in wechat.asked(SEND))
    assert said == sorted(f"o{number}" for number in range(16))
