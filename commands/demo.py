"""What a demo has from the start: made-up citizens, a hotel that scans, and its accounts."""

from __future__ import annotations

import secrets

from commands.context import Opener, opened
from credentials.authority import EmbeddedRegistry
from settings import Settings
from web.demo import CITIZENS

USER = "demo"
HOTEL = "南沙港湾酒店"
FRONT_DESK = "前台"
PASSWORD_FILE = "demo-password"  # noqa: S105 - the file's name
PURPOSES = ("hotel", "internet_cafe", "courier")


def fill(opener: Opener, settings: Settings) -> None:
    """Put the demo's data in place; what is there already stays as it is."""
    with opened(opener) as services:
        if isinstance(services.authority, EmbeddedRegistry):
            for citizen in CITIZENS:
                services.authority.add(citizen.person())
        password = _password(settings)
        if services.staff.get(USER) is None:
            hotel, _key = services.verifiers.add(HOTEL, PURPOSES)
            services.staff.add(USER, verifier_id=hotel.verifier_id, desk=FRONT_DESK)
            services.staff.set_password(USER, password)
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
