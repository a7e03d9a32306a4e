"""What a demo has from the start: made-up citizens, a hotel that scans, and its accounts."""

from __future__ import annotations

import json
import secrets

from commands.context import Opener, opened
from credentials.authority import EmbeddedRegistry
from credentials.terminals import Terminals
from settings import Settings
from web.demo import CITIZENS

USER = "demo"
HOTEL = "南沙港湾酒店"
FRONT_DESK = "前台"
PASSWORD_FILE = "demo-password"  # noqa: S105 - the file's name
PURPOSES = ("hotel", "internet_cafe", "courier")
BANK_USER = "bank"
BANK = "南沙海湾银行"
BANK_DESK = "1 号柜台"
BANK_PURPOSES = ("banking",)
TERMINAL = "南沙政务大厅 1 号终端"
TERMINAL_FILE = "demo-terminal"


def fill(opener: Opener, settings: Settings) -> None:
    """Put the demo's data in place; what is there already stays as it is."""
    with opened(opener) as services:
        if isinstance(services.authority, EmbeddedRegistry):
            for citizen in CITIZENS:
                services.authority.add(citizen.person())
        password = _password(settings)
        if services.staff.get(USER) is None:
            hotel, _key = services.verifiers.add(HOTEL, PURPOSES)
            services.staff.add(USER, verifier_id=hotel.verifier_id, desk=FRONT_DESK, role="manager")
            services.staff.set_password(USER, password)
        if services.staff.get(BANK_USER) is None:
            bank, _key = services.verifiers.add(BANK, BANK_PURPOSES)
            services.staff.add(BANK_USER, verifier_id=bank.verifier_id, desk=BANK_DESK)
            services.staff.set_password(BANK_USER, password)
        _accredit(services.terminals, settings)
        if services.operators.get(USER) is None:
            services.operators.add(USER, role="admin")
            services.operators.set_password(USER, password)


def _password(settings: Settings) -> str:
    """The demo's password, made once and kept in `VAR_DIR`, readable to its owner alone."""
    path = settings.var_dir / PASSWORD_FILE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(6) + "\n")
    return path.read_text().strip()


def terminal_of(settings: Settings) -> tuple[str, str]:
    """Id and private key of the terminal that the simulator plays; empty before it is there."""
    path = settings.var_dir / TERMINAL_FILE
    if not path.exists():
        return "", ""
    told = json.loads(path.read_text())
    return str(told["terminal_id"]), str(told["private_key"])


def _accredit(terminals: Terminals, settings: Settings) -> None:
    """Accredit the simulator's terminal, unless its key is there and still good."""
    known = terminals.get(terminal_of(settings)[0])
    if known is not None and not known.disabled:
        return
    added, private_key = terminals.add(TERMINAL)
    path = settings.var_dir / TERMINAL_FILE
    path.touch(mode=0o600)
    told = {"terminal_id": added.terminal_id, "private_key": private_key}
    path.write_text(json.dumps(told) + "\n")
