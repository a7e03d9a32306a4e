"""One face, one ID: a worker's memory of all templates, and what is near in it.

The memory is read from Redis when it is first needed (a worker asks for it as it starts), and
follows the changes before every search. A person's own template is put before the others are
searched, so of two who enrol with one face at the same moment at least one sees the other.
"""

from __future__ import annotations

import threading
import time

import structlog

from credentials.errors import UnavailableError
from credentials.templates import Templates
from faces import encode
from faces.encode import Template
from faces.search import Index, Neighbour

log = structlog.get_logger(__name__)


class Twins:
    """All templates in memory. Safe for several threads; each process has its own.

    Args:
        templates: where they are kept.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._change = 0

    def __len__(self) -> int:
        """How many templates are remembered; 0 before the first search."""
        return len(self._index) if self._index is not None else 0

    def prepare(self) -> None:
        """Read every template, so that the first search need not.

        Raises:
            UnavailableError: when Redis cannot be asked.
        """
        with self._lock:
            self._follow()

    def prepare_beside(self) -> None:
        """The same beside other work: a worker that starts does what waits meanwhile."""
        threading.Thread(target=self._try_to_prepare, name="templates", daemon=True).start()

    def _try_to_prepare(self) -> None:
        try:
            self.prepare()
        except UnavailableError as error:
            log.warning("templates not read yet", reason=str(error))  # the first search does it

    def keep_and_find(self, id_number: str, template: Template) -> list[tuple[str, float]]:
        """Keep a person's template, and find the other persons whose face is near.

        Returns:
            The blind index of each near person's ID number, and the distance; nearest first.

        Raises:
            UnavailableError: when Redis cannot be asked: then nobody knows.
        """
        own = self._templates.put(id_number, encode.pack(template))
        with self._lock:
            index = self._follow()
            near = index.search(template, but=own)
        return self._still_there(near)

    def _still_there(self, near: list[Neighbour]) -> list[tuple[str, float]]:
        """Those that did not fade since they were read; templates without a card do."""
        kept = {each.template_id: each for each in self._templates.get([n.key for n in near])}
        for each in near:
            if each.key not in kept and self._index is not None:
                with self._lock:
                    self._index.remove(each.key)
        return [(kept[each.key].person, each.distance) for each in near if each.key in kept]

    def _follow(self) -> Index:
        """The memory as it should be now."""
        if self._index is not None:
            changes = self._templates.changes(self._change)
            if not changes:
                if self._templates.last_change() == self._change:
                    return self._index
            elif changes[0].number == self._change + 1:
                self._apply([each.template_id for each in changes])
                self._change = changes[-1].number
                return self._index
        return self._read_all()  # the first time, or changes are missing

    def _apply(self, template_ids: list[str]) -> None:
        assert self._index is not None  # noqa: S101 - the caller looked
        changed = list(dict.fromkeys(template_ids))
        kept = {each.template_id: each for each in self._templates.get(changed)}
        for template_id in changed:
            if template_id in kept:
                self._index.add(template_id, encode.unpack(kept[template_id].vector))
            else:
                self._index.remove(template_id)

    def _read_all(self) -> Index:
        began = time.monotonic()
        change = self._templates.last_change()
        self._index = Index()  # the old one's memory is given back first
        for each in self._templates.all():
            self._index.add(each.template_id, encode.unpack(each.vector))
        self._change = change  # what changed while reading is read again
        seconds = round(time.monotonic() - began, 2)
        log.info("templates read", count=len(self._index), seconds=seconds)
        return self._index
