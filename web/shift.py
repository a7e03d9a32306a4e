"""The day's book of a desk: who was checked in, what was refused, notes, export, a slip to print.

| address | does |
|---|---|
| `GET /desk/shift` | the page; `day`, `desk`, `q` choose what it shows |
| `GET /desk/shift.csv` | the same as a file, written into the organisation's log |
| `POST /desk/shift/<entry>/note` | puts a note beside a guest |
| `GET /desk/shift/<entry>` | a slip to print |
| `GET`, `POST /desk/paper` | a guest without a working phone: their physical card was looked at |
"""

from __future__ import annotations

import csv
import datetime
import io
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from credentials.approvals import WAIT_SECONDS
from credentials.errors import CredentialError, RefusalError, UnavailableError
from credentials.model import State, Verification, Verifier
from credentials.shifts import CHINA, PAPER, Entry, Missed, ShiftError
from web import office, pages, shown, sign_in

if TYPE_CHECKING:
    from credentials.services import Services

DOCUMENTS = ("id_card", "passport", "hk_macau_permit", "taiwan_permit", "residence_permit")
LONGEST_QUERY = 40
LONGEST_TYPED = 1000  # characters of a note that is too long, which stay in its form
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def register(routes: Blueprint, services: Services) -> None:
    """Add these pages to the desk's."""
    _register_book(routes, services)
    _register_entry(routes, services)
    _register_paper(routes, services)


def today(services: Services, verifier: Verifier, desk: str, limit: int) -> list[shown.Json]:
    """The list beside the desk's screen: outcomes and refusals, newest first, nobody's name."""
    language, texts = pages.language(), services.texts
    day = datetime.datetime.now(CHINA).date()
    books = services.shifts.day(verifier.verifier_id, desk, day, limit=limit, values=False)
    rows = [
        (entry.at, entry.purpose, state, texts.say(language, f"desk.today.{state}"))
        for entry in _current(services, verifier, books)
        for state in (_state(entry),)
    ]
    rows += [
        (one.at, one.purpose, "denied", texts.say(language, f"desk.refused.{one.code}.reason"))
        for one in services.shifts.missed(verifier.verifier_id, desk)
        if datetime.datetime.fromtimestamp(one.at, CHINA).date() == day
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    return [
        {
            "time": datetime.datetime.fromtimestamp(at, CHINA).strftime("%H:%M"),
            "purpose": _purpose(services, purpose),
            "state": state,
            "word": word,
        }
        for at, purpose, state, word in rows[:limit]
    ]


def settle(services: Services, verifier: Verifier, found: Verification) -> None:
    """Bring a scan's entry up to date: who let the time pass did not answer, and denied nothing."""
    unanswered = found.state is State.DENIED and (
        services.verifications.about(verifier, found.verification_id).state is State.AWAITING_HOLDER
    )
    services.shifts.settle(verifier.verifier_id, found, unanswered=unanswered)


def _register_book(routes: Blueprint, services: Services) -> None:
    @routes.get("/shift")
    def shift() -> BaseResponse:
        """Show the book of a day."""
        verifier, day, desk, query = _asked(services)
        entries = _entries(services, verifier, day, desk, query)
        return office.page(
            services,
            "desk_shift.html",
            rows=[_row(services, entry) for entry in entries],
            missed=[_missed_row(services, one) for one in _missed(services, verifier, day, desk)],
            day=day,
            last_day=datetime.datetime.now(CHINA).date(),
            desk=desk,
            desks=_desks(services, verifier),
            query=query,
            purposes=[services.purposes[name] for name in verifier.purposes],
        )

    @routes.get("/shift.csv")
    def shift_csv() -> BaseResponse:
        """Give the book of a day as a file."""
        verifier, day, desk, query = _asked(services)
        entries = _entries(services, verifier, day, desk, query)
        office.did(services, "exported", f"{day} {desk} ({len(entries)})")
        answer = make_response(_csv(services, entries))
        answer.headers["Content-Type"] = "text/csv; charset=utf-8"
        answer.headers["Content-Disposition"] = f'attachment; filename="check-ins-{day}.csv"'
        return answer


def _register_entry(routes: Blueprint, services: Services) -> None:
    @routes.get("/shift/<entry_id>")
    def slip(entry_id: str) -> BaseResponse:
        """Show one entry, to print."""
        return _slip(services, _own_entry(services, entry_id))

    @routes.post("/shift/<entry_id>/note")
    def note(entry_id: str) -> BaseResponse:
        """Keep a note."""
        entry = _own_entry(services, entry_id)
        verifier = office.verifier_of(services)
        try:
            services.shifts.note(verifier.verifier_id, entry_id, request.form.get("note", ""))
        except ShiftError as error:
            typed = {"note": request.form.get("note", "")[:LONGEST_TYPED]}
            sentence = office.sentence_of(services, error)
            return _slip(services, entry, status=422, error=sentence, typed=typed)
        return redirect(f"/desk/shift/{entry_id}", 303)


def _slip(services: Services, entry: Entry, *, status: int = 200, **values: object) -> BaseResponse:
    retention = services.purposes[entry.purpose].retention_days
    erased = datetime.datetime.fromtimestamp(entry.at, CHINA).date()
    erased += datetime.timedelta(days=retention)
    row = _row(services, entry)
    return office.page(
        services, "desk_slip.html", status=status, row=row, erased=erased, place="shift", **values
    )


def _register_paper(routes: Blueprint, services: Services) -> None:
    @routes.route("/paper", methods=["GET", "POST"])
    def paper() -> BaseResponse:
        """Write in a guest whose physical document was looked at."""
        verifier = office.verifier_of(services)
        form = {name: value[:200] for name, value in request.form.items()}
        error, status = "", 200
        if request.method == "POST":
            try:
                entry_id = _write_paper(services, verifier, form)
            except CredentialError as refusal:
                if isinstance(refusal, UnavailableError):
                    raise
                error, status = office.sentence_of(services, refusal), 422
            else:
                return redirect(f"/desk/shift/{entry_id}", 303)
        return office.page(
            services,
            "desk_paper.html",
            status=status,
            error=error,
            form=form,
            form_id=form.get("form") or secrets.token_hex(10),
            documents=DOCUMENTS,
            purposes=[services.purposes[name] for name in verifier.purposes],
            desks=services.organisations.desks(verifier.verifier_id),
        )


def _write_paper(services: Services, verifier: Verifier, form: dict[str, str]) -> str:
    purpose, document = form.get("purpose", ""), form.get("document", "")
    if purpose not in verifier.purposes:
        raise RefusalError("purpose_not_granted")
    if document not in DOCUMENTS:
        raise ShiftError("bad_value", field="document")
    values = {
        "document": document,
        "name": form.get("name", ""),
        "document_number": form.get("number", "").upper(),
    }
    account = sign_in.current()
    desk = account.desk or " ".join(form.get("desk", "").split())[:40]
    if not desk or not desk.isprintable():
        raise ShiftError("bad_value", field="desk")
    written = services.shifts.write_paper(
        verifier.verifier_id, desk, account.username, purpose, values, form=form.get("form", "")
    )
    office.did(services, "paper", desk)
    return written


def _asked(services: Services) -> tuple[Verifier, datetime.date, str, str]:
    """The organisation, and the day, desk and words that the page is asked for."""
    verifier, account = office.verifier_of(services), sign_in.current()
    now = datetime.datetime.now(CHINA).date()
    try:
        day = datetime.date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        day = now
    # Staff see the day at hand; the past is the manager's.
    day = min(day, now) if office.is_manager() else now
    desk = request.args.get("desk", "").strip()[:LONGEST_QUERY]
    if account.desk and not office.is_manager():
        desk = account.desk
    return verifier, day, desk, request.args.get("q", "").strip()[:LONGEST_QUERY]


def _desks(services: Services, verifier: Verifier) -> list[str]:
    account = sign_in.current()
    if account.desk and not office.is_manager():
        return [account.desk]
    return services.shifts.desks(verifier.verifier_id)


def _entries(
    services: Services, verifier: Verifier, day: datetime.date, desk: str, query: str
) -> list[Entry]:
    entries = [
        entry
        for name in ([desk] if desk else _desks(services, verifier))
        for entry in services.shifts.day(verifier.verifier_id, name, day)
    ]
    entries = _current(services, verifier, entries)
    entries.sort(key=lambda entry: entry.at, reverse=True)
    wanted = query.casefold()
    return [
        entry
        for entry in entries
        if not wanted
        or any(wanted in text.casefold() for text in (*entry.values.values(), entry.note))
    ]


def _missed(services: Services, verifier: Verifier, day: datetime.date, desk: str) -> list[Missed]:
    found = [
        one
        for name in ([desk] if desk else _desks(services, verifier))
        for one in services.shifts.missed(verifier.verifier_id, name)
        if datetime.datetime.fromtimestamp(one.at, CHINA).date() == day
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _current(services: Services, verifier: Verifier, entries: list[Entry]) -> list[Entry]:
    """The entries, with those that waited for their guest brought up to date."""
    fresh = []
    for entry in entries:
        if entry.state is State.AWAITING_HOLDER and not entry.over:
            try:
                found = services.verifications.look(verifier, entry.entry_id)
            except RefusalError:
                fresh.append(entry)
                continue
            if found.state is not State.AWAITING_HOLDER:
                settle(services, verifier, found)
                fresh.append(services.shifts.get(verifier.verifier_id, entry.entry_id))
                continue
        fresh.append(entry)
    return fresh


def _own_entry(services: Services, entry_id: str) -> Entry:
    """An entry that the signed-in person may see; any other is not there."""
    verifier, account = office.verifier_of(services), sign_in.current()
    try:
        entry = services.shifts.get(verifier.verifier_id, entry_id)
    except ShiftError:
        raise NotFound from None
    if account.desk not in ("", entry.desk) and not office.is_manager():
        raise NotFound
    return entry


def _state(entry: Entry) -> str:
    late = entry.over or time.time() > entry.at + WAIT_SECONDS
    waits = entry.state is State.AWAITING_HOLDER
    return shown.NO_ANSWER if waits and late else entry.state.value


def _purpose(services: Services, name: str) -> str:
    key = f"purpose.{name}"
    return services.texts.say(pages.language(), key) if key in services.texts else name


def _row(services: Services, entry: Entry) -> shown.Json:
    language, texts = pages.language(), services.texts
    state = _state(entry)
    return {
        "id": entry.entry_id,
        "at": datetime.datetime.fromtimestamp(entry.at, CHINA),
        "desk": entry.desk,
        "staff": entry.staff,
        "paper": entry.kind == PAPER,
        "purpose": _purpose(services, entry.purpose),
        "state": state,
        "word": texts.say(language, f"desk.today.{state}"),
        "values": [_value(services, *pair) for pair in entry.values.items()],
        "note": entry.note,
    }


def _value(services: Services, name: str, value: str) -> tuple[str, str]:
    language, texts = pages.language(), services.texts

    def known(key: str, otherwise: str) -> str:
        return texts.say(language, key) if key in texts else otherwise

    label = known(f"attribute.{name}", known(f"office.paper.{name}", name))
    if name == "age_over_18":
        return label, known(f"attribute.{value}", value)
    if name == "document":
        return label, known(f"office.document.{value}", value)
    return label, known(f"attribute.{name}.{value}", value) if name == "sex" else value


def _missed_row(services: Services, one: Missed) -> shown.Json:
    return {
        "at": datetime.datetime.fromtimestamp(one.at, CHINA),
        "purpose": _purpose(services, one.purpose),
        "reason": services.texts.say(pages.language(), f"desk.refused.{one.code}.reason"),
        "staff": one.staff,
    }


def _csv(services: Services, entries: Sequence[Entry]) -> str:
    """A file that spreadsheets open: a byte order mark, and no cell that is a formula."""
    rows = [_row(services, entry) for entry in entries]
    labels = list(dict.fromkeys(label for row in rows for label, _ in row["values"]))  # type: ignore[attr-defined]
    language, texts = pages.language(), services.texts
    heads = [
        texts.say(language, f"office.shift.{name}")
        for name in ("time", "desk", "purpose", "state", "staff", "note")
    ]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*heads, *labels])
    for row in rows:
        values = dict(row["values"])  # type: ignore[call-overload]
        told = [f"{row['at']:%Y-%m-%d %H:%M:%S}", row["desk"], row["purpose"], row["word"]]
        told += [row["staff"], row["note"], *(values.get(label, "") for label in labels)]
        writer.writerow([_cell(str(cell)) for cell in told])
    return "\ufeff" + out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
