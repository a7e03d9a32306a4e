"""`simulate`: a scripted talk with a running product, played through its simulator.

A script is TOML: who takes part, and what happens in which order. docs/examples/enrolment.toml
shows every kind of line; `simulate --help` lists them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import httpx

from settings import Settings
from simulator.phone import NotSeenError, Phone, text_of
from simulator.platform.faults import KINDS
from web.demo import CITIZENS

LINES = {
    "follow": "follow the account; a scene, or true",
    "unfollow": "stop following",
    "say": "write a text",
    "choose": "tap a quick answer of the last message that has it",
    "click": "tap a menu button by its key",
    "photo": "send a photo: a file beside the script, or `citizen:0`",
    "video": "send a video: a file beside the script",
    "voice": "send a voice note in which this is heard",
    "expect": "wait for a message with these words",
    "expect_photo": "wait for a picture: true",
    "expect_nothing": "no message may come for so many seconds",
    "fault": "switch a fault on: a table with kind, target, code, seconds, times",
    "faults": "`off` switches all faults off",
    "pushes": "how pushes are written: a table with mode, format",
    "wait": "wait so many seconds",
}
FOR_ALL = {"fault", "faults", "pushes", "wait"}
PATIENCE = 20.0
LINK = re.compile(r"<a\b[^>]*>(.*?)</a>", re.DOTALL)


class ScriptError(click.ClickException):
    """A script that cannot be played; the text says which line and why."""

    exit_code = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of a script: who does what; `who` is empty for what concerns everybody."""

    place: int
    who: str
    verb: str
    what: Any
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """A script that was read and found to make sense."""

    title: str
    phones: Mapping[str, str]
    lines: tuple[Line, ...]
    folder: Path


def read(path: Path) -> Script:
    """Read a script.

    Raises:
        ScriptError: when it is no TOML, or a line is not understood.
    """
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: {error}") from error
    phones = told.get("phones", {"phone": {}})
    if not _is_phones(phones):
        raise ScriptError("[phones] is a table of names, such as `anna = { language = 'zh_CN' }`")
    languages = {name: str(about.get("language", "zh_CN")) for name, about in phones.items()}
    steps = told.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise ScriptError("there is no [[step]]")
    first = next(iter(languages))
    lines = tuple(_line(place, step, first, languages) for place, step in enumerate(steps, 1))
    return Script(str(told.get("title", path.stem)), languages, lines, path.parent)


def _is_phones(told: object) -> bool:
    return isinstance(told, dict) and bool(told) and all(isinstance(x, dict) for x in told.values())


def _line(place: int, step: object, first: str, phones: Mapping[str, str]) -> Line:
    if not isinstance(step, dict):
        raise ScriptError(f"step {place} is no table")
    rest = dict(step)
    who, seconds = rest.pop("who", first), rest.pop("seconds", PATIENCE)
    if who not in phones:
        raise ScriptError(f"step {place}: nobody is called {who!r}")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds <= 0:
        raise ScriptError(f"step {place}: seconds is a number above 0")
    if len(rest) != 1 or not rest.keys() <= LINES.keys():
        raise ScriptError(
            f"step {place} has {', '.join(rest) or 'nothing'}; it needs one of {', '.join(LINES)}"
        )
    verb, what = next(iter(rest.items()))
    wanted = dict if verb in {"fault", "pushes"} else int | float if verb in NUMBERS else str | bool
    if not isinstance(what, wanted):
        raise ScriptError(f"step {place}: {verb}: {LINES[verb]}")
    if verb == "fault" and isinstance(what, dict) and what.get("kind") not in KINDS:
        raise ScriptError(f"step {place}: the kinds of faults are {', '.join(KINDS)}")
    return Line(place, "" if verb in FOR_ALL else who, verb, what, float(seconds))


NUMBERS = {"wait", "expect_nothing"}


@click.command(epilog="Lines: " + "; ".join(f"{name}: {text}" for name, text in LINES.items()))
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", default="", help="the running demo; default: PORT of this environment")
def simulate(script: Path, url: str) -> None:
    """Play SCRIPT with simulated phones and print the transcript.

    Ends with status 0 when everything that is expected came, 1 when something did not, and 2
    when the script cannot be played.
    """
    play = read(script)
    base = (url or Settings().address).rstrip("/")
    with _phones(base, play) as phones:
        stage = Stage(base, phones, play.folder)
        click.echo(f"# {play.title}")
        began = time.monotonic()
        try:
            for line in play.lines:
                stage.do(line)
        except NotSeenError as error:
            stage.tell_news()
            click.echo(f"\nstep {line.place} failed: {str(error).splitlines()[0]}", err=True)
            sys.exit(1)
        finally:
            stage.restore()
        stage.tell_news()
        click.echo(
            f"\n{len(play.lines)} steps in {time.monotonic() - began:.1f} s, all as expected."
        )


@contextlib.contextmanager
def _phones(base: str, play: Script) -> Iterator[dict[str, Phone]]:
    with contextlib.ExitStack() as stack:
        try:
            yield {
                name: stack.enter_context(Phone(base, name=name, language=language, visible=True))
                for name, language in play.phones.items()
            }
        except httpx.TransportError as error:
            raise ScriptError(
                f"nothing answers at {base}: {error}; start it with `make run`"
            ) from error


class Stage:
    """The phones at play, and what was told of them so far."""

    def __init__(self, base: str, phones: Mapping[str, Phone], folder: Path) -> None:
        self._api = f"{base}/simulator/api"
        self._phones = phones
        self._folder = folder
        self._told: set[tuple[str, int]] = set()
        self._changed: set[str] = set()
        self._pushes: dict[str, str] = {}  # how they were written before the script changed it

    def do(self, line: Line) -> None:
        """Do one line of the script.

        Raises:
            NotSeenError: when what it expects does not come, or the phone cannot do it.
        """
        if line.who:
            self._act(self._phones[line.who], line)
        elif line.verb == "wait":
            time.sleep(line.what)
        else:
            self._arrange(line)
        self.tell_news()

    def tell_news(self) -> None:
        """Print what was said since the last time."""
        for name, phone in self._phones.items():
            phone.look()
            for message in phone.messages():
                if (name, message["id"]) not in self._told:
                    self._told.add((name, message["id"]))
                    arrow = "→" if message["side"] == "person" else "←"
                    text = _shown(message)
                    shown = text.replace("\n", "\n" + " " * (len(name) + 3))
                    click.echo(f"{name} {arrow} {shown}")

    def restore(self) -> None:
        """Switch off what the script switched on."""
        if "fault" in self._changed:
            self._ask("DELETE", "/faults")
        if self._pushes:
            self._ask("POST", "/pushes", self._pushes)

    def _act(self, phone: Phone, line: Line) -> None:
        what, seconds = line.what, line.seconds
        acts: dict[str, Callable[[], object]] = {
            "follow": lambda: phone.follow(what if isinstance(what, str) else ""),
            "unfollow": phone.unfollow,
            "say": lambda: phone.say(what),
            "choose": lambda: phone.answer(what),
            "click": lambda: phone.click(what),
            "photo": lambda: phone.send_photo(self._photo(line)),
            "video": lambda: phone.send_video(self._file(line)),
            "voice": lambda: phone.send_voice(what),
            "expect": lambda: phone.wait_for(what, seconds=seconds),
            "expect_photo": lambda: phone.wait_for_photo(seconds=seconds),
            "expect_nothing": lambda: _silence(phone, what),
        }
        acts[line.verb]()

    def _arrange(self, line: Line) -> None:
        self._changed.add(line.verb)
        if line.verb == "fault":
            self._ask("POST", "/faults", line.what)
            click.echo(f"! fault {', '.join(f'{key} {value}' for key, value in line.what.items())}")
        elif line.verb == "faults":
            self._ask("DELETE", "/faults")
            click.echo("! faults off")
        else:
            if not self._pushes:
                account = self._ask("GET", "/state").json()["account"]
                self._pushes = {name: account[name] for name in ("mode", "format")}
            self._ask("POST", "/pushes", line.what)
            click.echo(f"! pushes {' '.join(map(str, line.what.values()))}")

    def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        answer = httpx.request(method, self._api + path, json=body, timeout=10, trust_env=False)
        if answer.status_code >= 400:
            raise ScriptError(f"{path}: {answer.text}")
        return answer

    def _photo(self, line: Line) -> bytes:
        kind, colon, place = line.what.partition(":")
        if kind == "citizen" and colon:
            if not place.isdigit() or int(place) >= len(CITIZENS):
                raise ScriptError(f"step {line.place}: citizens are 0 to {len(CITIZENS) - 1}")
            return CITIZENS[int(place)].selfie()
        return self._file(line).read_bytes()

    def _file(self, line: Line) -> Path:
        path: Path = self._folder / line.what
        if not path.is_file():
            raise ScriptError(f"step {line.place}: there is no file {path}")
        return path


def _shown(message: Mapping[str, Any]) -> str:
    """A message as a transcript shows it: links to tap as their words in brackets."""
    if message["kind"] in ("image", "video", "voice"):
        return f"[{message['kind']}]"
    return LINK.sub(r"[\1]", text_of(message))


def _silence(phone: Phone, seconds: float) -> None:
    phone.settle()
    phone.look()
    before = len(phone.from_account())
    phone.look(seconds)
    if len(phone.from_account()) > before:
        raise NotSeenError(f"something came: {text_of(phone.from_account()[-1])!r}")
