"""Signing in with a password: once with the given one, five wrong tries, no hint about names."""

from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
import redis

from credentials import passwords
from credentials.accounts import AccountError, Accounts, Role
from credentials.errors import SignInError, UnavailableError
from credentials.passwords import PasswordError
from tests.credentials.dump import everything

OWN = "sunny-afternoon-7"


@pytest.fixture
def staff(database: redis.Redis) -> Accounts:
    return Accounts(database, "staff")


@pytest.fixture
def operators(database: redis.Redis) -> Accounts:
    return Accounts(database, "operator")


def refusal(accounts: Accounts, username: str, password: str) -> SignInError:
    with pytest.raises(SignInError) as caught:
        accounts.sign_in(username, password)
    return caught.value


def test_a_new_account_signs_in_and_must_change_its_password(staff: Accounts) -> None:
    given = staff.add("Li.Na", verifier_id="0123456789ab", desk=" Desk  1 ")
    account = staff.sign_in(" li.na ", given)
    assert account.must_change_password
    assert (account.username, account.verifier_id, account.desk) == (
        "li.na",
        "0123456789ab",
        "Desk 1",
    )
    changed = staff.set_password("li.na", OWN)
    assert not changed.must_change_password
    assert changed.epoch > account.epoch
    assert refusal(staff, "li.na", given).code == "wrong_password"
    assert staff.sign_in("li.na", OWN) == changed


def test_staff_and_operators_are_apart(staff: Accounts, operators: Accounts) -> None:
    given = staff.add("ann", verifier_id="0123456789ab")
    assert refusal(operators, "ann", given).code == "wrong_password"
    operators.add("ann", role="viewer")
    assert refusal(operators, "ann", given).code == "wrong_password"
    assert operators.all()[0].role == "viewer"


def test_five_wrong_passwords_lock_the_account(staff: Accounts) -> None:
    given = staff.add("ann")
    left = [refusal(staff, "ann", "wrong").details.get("left") for _ in range(4)]
    assert left == [4, 3, 2, 1]
    assert refusal(staff, "ann", "wrong").code == "locked"
    locked = refusal(staff, "ann", given)
    assert locked.code == "locked"
    assert locked.details["wait_minutes"] == 15


def test_the_right_password_forgets_the_wrong_ones(staff: Accounts) -> None:
    given = staff.add("ann")
    for _ in range(3):
        for _ in range(3):
            refusal(staff, "ann", "wrong")
        staff.sign_in("ann", given)


def test_guesses_made_at_once_are_five_at_most(staff: Accounts) -> None:
    staff.add("ann")
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: refusal(staff, "ann", "wrong").code, range(20)))
    assert answers.count("wrong_password") == 4
    assert answers.count("locked") == 16


def test_a_name_that_does_not_exist_answers_like_one_that_does(staff: Accounts) -> None:
    staff.add("ann")
    known = [refusal(staff, "ann", "wrong") for _ in range(6)]
    unknown = [refusal(staff, "bob", "wrong") for _ in range(6)]
    assert [(e.code, e.details) for e in known] == [(e.code, e.details) for e in unknown]


def test_comparing_with_nobody_costs_what_comparing_costs() -> None:
    own = argon2.extract_parameters(passwords.hashed("anything"))
    assert argon2.extract_parameters(passwords._NOBODY) == own
    assert not passwords.matches(None, "")


@pytest.mark.parametrize("username", ["", " ", "}", "a" * 5000, "ann}x", "\x00", "a b"])
def test_an_odd_name_is_a_wrong_one(staff: Accounts, username: str) -> None:
    staff.add("ann")
    assert refusal(staff, username, "wrong").code == "wrong_password"


def test_an_endless_password_is_a_wrong_one(staff: Accounts) -> None:
    staff.add("ann")
    assert refusal(staff, "ann", "x" * 10_000_000).code == "wrong_password"


def test_only_a_disabled_account_with_its_password_learns_that_it_is(staff: Accounts) -> None:
    given = staff.add("ann")
    session = staff.sign_in("ann", given)
    staff.disable("ann")
    assert refusal(staff, "ann", "wrong").code == "wrong_password"
    assert refusal(staff, "ann", given).code == "disabled"
    assert staff.of_session("ann", session.epoch) is None
    staff.disable("ann", disabled=False)
    assert staff.sign_in("ann", given).username == "ann"


def test_sessions_end_at_once(staff: Accounts) -> None:
    given = staff.add("ann")
    session = staff.sign_in("ann", given)
    assert staff.of_session("ann", session.epoch) == session
    staff.end_sessions("ann")
    assert staff.of_session("ann", session.epoch) is None
    assert staff.of_session("bob", 1) is None


def test_a_reset_opens_the_lock_and_ends_the_sessions(staff: Accounts) -> None:
    session = staff.sign_in("ann", staff.add("ann"))
    for _ in range(5):
        refusal(staff, "ann", "wrong")
    given = staff.reset_password("ann")
    assert staff.of_session("ann", session.epoch) is None
    assert staff.sign_in("ann", given).must_change_password


def test_of_two_who_take_one_name_one_gets_it(staff: Accounts) -> None:
    given = staff.add("ann", desk="1")
    for name in ("ann", "ANN", "ａｎｎ"):
        with pytest.raises(AccountError, match="account_exists"):
            staff.add(name, desk="2")
    assert staff.sign_in("ann", given).desk == "1"


@pytest.mark.parametrize("username", ["", "a", "-ann", "a b", "ann{x}", "a" * 65, "ann\n2", "<b>"])
def test_what_is_no_username(staff: Accounts, username: str) -> None:
    with pytest.raises(AccountError, match="bad_username"):
        staff.add(username)
    assert staff.all() == []


def test_what_is_no_desk_and_no_role(staff: Accounts, operators: Accounts) -> None:
    for desk in ("x" * 41, "a\x07b"):
        with pytest.raises(AccountError, match="bad_desk"):
            staff.add("ann", desk=desk)
    for role in ("", "root", "Admin"):
        with pytest.raises(AccountError, match="bad_role"):
            operators.add("ann", role=role)


def test_a_role_includes_the_smaller_ones() -> None:
    assert Role.ADMIN.includes(Role.VIEWER)
    assert Role.REVIEWER.includes(Role.REVIEWER)
    assert not Role.VIEWER.includes(Role.REVIEWER)


def test_another_role_ends_the_sessions_of_the_former(operators: Accounts) -> None:
    session = operators.sign_in("ann", operators.add("ann", role="admin"))
    assert operators.assign("ann", role="viewer").role == "viewer"
    assert operators.of_session("ann", session.epoch) is None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_too_short"),
        ("sunny-day", "password_too_short"),
        ("x" * 257, "password_too_long"),
        ("1234567890", "password_too_common"),
        ("Password123!", "password_too_common"),
        ("aaaaaaaaaaaa", "password_too_common"),
        ("abababababab", "password_too_common"),
        ("rosalind-2026", "password_too_common"),
    ],
)
def test_a_weak_password_is_refused(staff: Accounts, password: str, code: str) -> None:
    given = staff.add("rosalind")
    with pytest.raises(PasswordError) as caught:
        staff.set_password("rosalind", password)
    assert caught.value.code == code
    assert staff.sign_in("rosalind", given).must_change_password


def test_the_present_password_is_not_a_new_one(staff: Accounts) -> None:
    given = staff.add("ann")
    with pytest.raises(PasswordError, match="password_same"):
        staff.set_password("ann", given)


def test_redis_never_holds_a_password(staff: Accounts, database: redis.Redis) -> None:
    given = staff.add("ann")
    staff.sign_in("ann", given)
    staff.set_password("ann", OWN)
    held = everything(database)
    assert given.encode() not in held
    assert OWN.encode() not in held


def test_who_does_not_exist_cannot_be_changed(staff: Accounts, database: redis.Redis) -> None:
    for change in (
        lambda: staff.set_password("bob", OWN),
        lambda: staff.reset_password("bob"),
        lambda: staff.disable("bob"),
        lambda: staff.end_sessions("bob"),
    ):
        with pytest.raises(AccountError, match="no_such_account"):
            change()
    assert database.keys() == []


def test_without_redis_nobody_signs_in() -> None:
    lost = Accounts(redis.Redis(port=1, socket_connect_timeout=0.2), "staff")
    with pytest.raises(UnavailableError):
        lost.sign_in("ann", OWN)


def test_a_hash_that_is_renewed(staff: Accounts, database: redis.Redis) -> None:
    weak = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(OWN)
    staff.add("lina", password_hash=weak)
    account = staff.sign_in("lina", OWN)
    renewed = database.hget("{a:staff:lina}", "h")
    assert isinstance(renewed, bytes)
    assert not passwords.is_outdated(renewed.decode())
    assert staff.sign_in("lina", OWN) == account


def test_a_hash_that_is_renewed_brings_no_old_password_back(
    staff: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(OWN)
    staff.add("lina", password_hash=weak)
    given: list[str] = []
    asked = passwords.is_outdated

    def reset_meanwhile(kept: str) -> bool:
        given.append(staff.reset_password("lina"))
        return asked(kept)

    monkeypatch.setattr(passwords, "is_outdated", reset_meanwhile)
    account = staff.sign_in("lina", OWN)  # who knows the old password is just signing in
    monkeypatch.setattr(passwords, "is_outdated", asked)
    assert staff.of_session("lina", account.epoch) is None
    assert refusal(staff, "lina", OWN).code == "wrong_password"
    assert staff.sign_in("lina", *given).must_change_password
