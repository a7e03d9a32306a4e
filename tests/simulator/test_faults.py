"""Each fault strikes what it says, as often as it says, and nothing else."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from simulator.config import Config
from simulator.platform import courier
from simulator.platform.chat import NOTICE
from tests.product.actors import wait_until
from tests.simulator.account import Account
from tests.simulator.conftest import Clock, Running

SEND = "/cgi-bin/message/custom/send"


def test_an_endpoint_answers_an_error_so_many_times(simulator: Running) -> None:
    phone = simulator.phone()
    phone.say("你好")
    simulator.fault("api_error", target=SEND, code=-1, times=2)
    assert [simulator.send(phone) for _ in range(3)] == [-1, -1, 0]


def test_an_answer_is_lost_after_the_work_was_done(simulator: Running) -> None:
    phone = simulator.phone()
    simulator.fault("api_lost", target=SEND, times=1)
    body = {"touser": phone.openid, "msgtype": "text", "text": {"content": "一次"}}
    assert simulator.post(SEND, body).status_code == 502
    phone.wait_for("一次")


def test_a_slow_endpoint(simulator: Running) -> None:
    token = simulator.token()
    simulator.fault("api_latency", target="/cgi-bin/menu/get", seconds=2, times=1)
    query = {"access_token": token}
    with pytest.raises(httpx.ReadTimeout):
        simulator.http.get("/cgi-bin/menu/get", params=query, timeout=0.1)

    def used_up() -> bool:
        on: list[object] = simulator.http.get("/simulator/api/faults").json()["on"]
        return not on

    assert wait_until(used_up, 30)  # as soon as the server has read the question
    assert simulator.http.get("/cgi-bin/menu/get", params=query).status_code == 200


def test_tokens_are_invalidated(simulator: Running) -> None:
    former = simulator.token()
    gone = simulator.http.post("/simulator/api/tokens/invalidate", json={}).json()
    assert gone == {"invalidated": 1}
    answer = simulator.http.get("/cgi-bin/menu/get", params={"access_token": former})
    assert answer.json()["errcode"] == 40001
    assert simulator.token() != former


def test_a_push_comes_twice_at_once_and_is_answered_once(
    simulator: Running, account: Account
) -> None:
    phone = simulator.phone()
    simulator.fault("push_duplicate", target="text", times=1)
    phone.say("申请")
    phone.settle()
    phone.look()
    ids = [each["MsgId"] for each in account.received[1:]]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert phone.transcript().count("收到：申请") == 1


def test_a_push_is_lost(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    simulator.fault("push_drop", target="text", times=1)
    phone.say("一")
    phone.say("二")
    phone.settle()
    assert [each["Content"] for each in account.received[1:]] == ["二"]


def test_pushes_out_of_order(
    simulator: Running, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "REORDER_WAIT", 30.0)  # however long the second is in coming
    phone = simulator.phone()
    simulator.fault("push_reorder", target="text", times=1)
    phone.say("一")
    phone.say("二")
    phone.settle()
    assert [each["Content"] for each in account.received[1:]] == ["二", "一"]


def test_a_lost_reply_is_asked_for_again(config: Config, account: Account, clock: Clock) -> None:
    running = Running(dataclasses.replace(config, deadline=5.0), clock)
    phone = running.phone()
    running.fault("reply_lost", target="text", times=1)
    phone.say("申请")
    phone.wait_for("收到：申请")
    phone.settle()
    assert [each["MsgType"] for each in account.received[1:]] == ["text", "text"]
    assert phone.transcript().count("收到：申请") == 1
    running.close()


def test_a_forged_push_is_refused_by_wechatpy(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    simulator.fault("push_forged", target="text")
    phone.say("申请")
    phone.wait_for(NOTICE)
    assert len(account.received) == 1
    assert account.refused == ["InvalidSignatureException"] * 3


def test_a_slow_push_arrives(simulator: Running, account: Account) -> None:
    phone = simulator.phone()
    simulator.fault("push_latency", seconds=0.1, times=1)
    phone.say("申请")
    phone.wait_for("收到：申请")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "earthquake"},
        {"kind": "api_error", "code": "many"},
        {"kind": "api_latency", "seconds": -1},
        {"kind": "api_latency", "seconds": 601},
        {"kind": "push_drop", "times": 0},
    ],
)
def test_a_fault_that_cannot_be(simulator: Running, body: dict[str, object]) -> None:
    assert simulator.http.post("/simulator/api/faults", json=body).status_code == 422


def test_faults_are_listed_and_switched_off(simulator: Running) -> None:
    simulator.fault("push_drop")
    simulator.fault("api_error", code=45009)
    first, second = simulator.http.get("/simulator/api/faults").json()["on"]
    assert (first["kind"], second["code"]) == ("push_drop", 45009)
    simulator.http.delete(f"/simulator/api/faults/{first['id']}")
    assert len(simulator.http.get("/simulator/api/faults").json()["on"]) == 1
    simulator.http.delete("/simulator/api/faults")
    assert simulator.http.get("/simulator/api/faults").json()["on"] == []
