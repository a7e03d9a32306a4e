from __future__ import annotations

import dataclasses

import pytest

from bot import engine
from bot.engine import Conversation, Move
from credentials.model import Holder
from handlers.dialog import DIALOG
from handlers.steps import Outcome
from handlers.turn import Kind, Turn

HOLDER = Holder("wechat", "oPhone")
NOW = 1_790_000_000.0


def say(conversation: Conversation, text: str, at: float = NOW) -> Move:
    return engine.hear(DIALOG, conversation, Turn(HOLDER, Kind.TEXT, text, at=at))


def keys(move: Move) -> list[str]:
    return [line.key for line in move.lines]


def at(step: str, **other: object) -> Conversation:
    known: dict[str, object] = {"step": step, "language": "zh_CN", "last": NOW, "since": NOW}
    return Conversation(HOLDER, **{**known, **other})  # type: ignore[arg-type]


def test_a_word_leads_to_a_quick_work_and_its_outcome_on() -> None:
    move = say(Conversation(HOLDER), "申请")
    assert (move.work, move.lines) == ("begin", ())
    move = engine.carry_on(DIALOG, move, "begin", Outcome("fresh"), NOW)
    assert (move.conversation.step, keys(move)) == ("consent", ["chat.consent"])
    assert move.lines[0].position == "1/4"


def test_the_same_in_gives_the_same_out() -> None:
    assert say(at("name"), "张三") == say(at("name"), "张三")


def test_a_slow_work_is_waited_for_under_an_id() -> None:
    move = say(at("id_number", given={"name": "张三"}), "11010519491231002X")
    assert move.job == "registry"
    assert move.conversation.job.startswith("registry-")
    assert move.conversation.given == {"name": "张三", "id_number": "11010519491231002X"}


def test_a_word_while_a_job_runs_does_not_forget_the_job() -> None:
    waiting = at("registry", job="registry-1", given={"name": "张三"})
    move = say(waiting, "记录")
    move = engine.carry_on(DIALOG, move, "history", Outcome("none"), NOW)
    assert move.conversation.job == "registry-1"
    assert keys(move) == ["chat.card.none", "chat.registry.waiting"]


def test_an_aside_leaves_the_step_where_it_is() -> None:
    move = say(at("id_number", given={"name": "张三"}), "语言")
    assert (move.conversation.step, move.conversation.aside) == ("id_number", "language")
    move = say(move.conversation, "2")
    assert (move.conversation.step, move.conversation.aside) == ("id_number", "")
    assert move.conversation.language == "en"
    assert keys(move) == ["chat.language.chosen", "chat.restate", "chat.id_number"]


@pytest.mark.parametrize(("step", "key"), [("consent", "refused"), ("face_consent", "refused")])
def test_to_deny_means_to_refuse_where_consent_is_asked(step: str, key: str) -> None:
    assert keys(say(at(step), "拒绝")) == [f"chat.{step}.{key}"]
    assert say(at("name"), "拒绝").work == "deny"


def test_an_aside_that_is_no_more_is_forgotten() -> None:
    move = say(at("name", aside="old_question"), "张三")
    assert (move.conversation.step, move.conversation.aside) == ("id_number", "")


@pytest.mark.parametrize("text", ["好的", "ok", "是", "1"])
def test_a_yes_long_after_the_question_is_no_yes(text: str) -> None:
    asked = at("home", aside="confirm_delete")
    assert say(asked, text, NOW + engine.ASIDE_SECONDS).work == "erase"
    late = say(asked, text, NOW + engine.ASIDE_SECONDS + 1)
    assert (late.work, late.conversation.aside) == ("", "")
    assert keys(late) == ["chat.home"]


def test_an_aside_that_is_forgotten_leads_back_to_the_step() -> None:
    late = say(at("name", aside="language"), "张三", NOW + engine.ASIDE_SECONDS + 1)
    assert late.conversation.step == "id_number"


def test_answers_that_lead_nowhere_are_counted() -> None:
    conversation = at("id_number")
    for _ in range(3):
        conversation = say(conversation, "123").conversation
    assert (conversation.attempts, conversation.stuck) == (3, True)
    assert say(conversation, "11010519491231002X").conversation.attempts == 0


def test_a_long_silence_restates_instead_of_correcting() -> None:
    move = say(at("id_number"), "123", NOW + 86400)
    assert keys(move) == ["chat.restate", "chat.id_number"]
    assert move.conversation.attempts == 0


def test_what_was_lost_is_told_once() -> None:
    move = say(at("id_number", lost=True), "11010519491231002X")
    assert keys(move) == ["chat.lost"]
    assert (move.conversation.step, move.conversation.lost) == ("home", False)


def test_what_was_lost_does_not_stop_a_word() -> None:
    assert say(at("id_number", lost=True), "申请").work == "begin"


def test_a_changed_dialog_is_told() -> None:
    assert keys(say(at("step_of_last_year"), "1")) == ["chat.changed"]


@pytest.mark.parametrize(
    ("text", "language"), [("你好", "zh_CN"), ("hello", "en"), ("1", ""), ("", ""), ("？", "")]
)
def test_the_first_words_tell_the_language(text: str, language: str) -> None:
    assert say(Conversation(HOLDER), text).conversation.language == language


def test_a_language_stays() -> None:
    assert say(at("home"), "card").conversation.language == "zh_CN"


def test_an_early_photo_is_taken_at_the_face_step() -> None:
    waiting = at("registry", job="registry-1", given={"early": "M1"})
    move = engine.carry_on(DIALOG, Move(waiting), "registry", Outcome("passed"), NOW)
    assert move.work == "face_check"
    move = engine.carry_on(DIALOG, move, "face_check", Outcome("one_photo"), NOW)
    assert (move.job, move.conversation.given) == ("match_photo", {"photo": "M1"})


def test_an_early_photo_is_no_answer_to_a_challenge() -> None:
    waiting = at("registry", job="registry-1", given={"early": "M1"})
    move = engine.carry_on(DIALOG, Move(waiting), "registry", Outcome("passed"), NOW)
    shown = {"gesture": {"word": "chat.gesture.turn_left"}, "place": 1, "all": 2}
    challenge = Outcome("challenge", {"shown": shown})
    move = engine.carry_on(DIALOG, move, "face_check", challenge, NOW)
    assert (move.conversation.step, move.job) == ("gesture", "")


def test_done_forgets_everything_given() -> None:
    waiting = at("registry", job="registry-1", given={"name": "张三"})
    move = engine.carry_on(DIALOG, Move(waiting), "registry", Outcome("outside"), NOW)
    assert (move.conversation.step, move.conversation.given) == ("home", {})


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.RESULT])
@pytest.mark.parametrize("step", sorted(DIALOG.steps))
def test_every_kind_at_every_step_has_an_answer(kind: Kind, step: str) -> None:
    if kind is Kind.UNFOLLOW:
        return  # the talk erases the conversation before the engine sees it
    turn = Turn(HOLDER, kind, "?", "M1", NOW)
    conversation = at(step, job="a job", given={"gestures": ["look_up"], "until": NOW})
    move = engine.hear(DIALOG, conversation, turn)
    assert move.lines or move.work
    assert move.conversation.step in DIALOG.steps


def test_the_flow_of_time_is_only_what_it_is_told() -> None:
    move = say(at("name"), "张三", NOW + 5)
    assert (move.conversation.since, move.conversation.last) == (NOW + 5, NOW + 5)
    assert dataclasses.replace(move.conversation, last=0).last == 0
