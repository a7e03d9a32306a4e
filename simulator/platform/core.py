"""The platform put together from its parts."""

from __future__ import annotations

from collections.abc import Callable

from simulator.config import Config
from simulator.platform.chat import Chat
from simulator.platform.courier import Courier
from simulator.platform.faults import Faults
from simulator.platform.hand import Hand
from simulator.platform.media import Media
from simulator.platform.menus import Menus
from simulator.platform.push import Writer
from simulator.platform.scenes import Codes, Scenes
from simulator.platform.shelf import Shelf
from simulator.platform.tokens import Tokens
from simulator.platform.wire import Wire
from simulator.platform.world import World, wall_clock


class Platform:
    """Everything that a platform process holds."""

    def __init__(self, config: Config, clock: Callable[[], float] = wall_clock) -> None:
        self.config = config
        self.shelf = Shelf(config.folder)
        self.world = World(config, self.shelf, clock)
        self.tokens = Tokens(self.world)
        self.media = Media(self.world)
        self.menus = Menus(self.world)
        self.scenes = Scenes(self.world)
        self.codes = Codes(self.world)
        self.faults = Faults()
        self.wire = Wire(self.world)
        self.writer = Writer(config)
        self.chat = Chat(self.world, self.media)
        self.courier = Courier(
            config,
            self.world,
            writer=self.writer,
            chat=self.chat,
            faults=self.faults,
            wire=self.wire,
        )
        self.hand = Hand(self.world, self.media, self.scenes, self.courier)

    def close(self) -> None:
        """Stop deliveries and leave the shelf in order."""
        self.courier.close()
        self.courier.idle("", 2.0)
        self.shelf.close()
