"""What the product needs of a messaging platform; WeChat first, Alipay second."""

from __future__ import annotations

from typing import Protocol

from handlers.turn import Reply


class ChannelError(Exception):
    """The root of this package's errors about a platform; `code` is its number, if it gave one."""

    def __init__(self, sentence: str = "", code: int = 0) -> None:
        self.code = code
        super().__init__(sentence)

    @property
    def label(self) -> str:
        """What it is counted as: its number, or its kind where there is none."""
        return str(self.code or type(self).__name__)


class PlatformUnavailableError(ChannelError):
    """The platform does not answer, or not in time: worth trying again."""


class NotDeliveredError(ChannelError):
    """The platform's rules refuse this message now (quota, window, refused by the person).

    Keep it and give it with the person's next turn. `code` is the platform's number.
    """

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}", code)


class UnreachableError(ChannelError):
    """The person will never receive it (unknown openid, unfollowed): give up."""


class MediaGoneError(ChannelError):
    """The photo or video is no longer with the platform, or is larger than allowed."""


class Channel(Protocol):
    """One platform, from the product's side. Every call is bounded in time."""

    name: str
    hands_over: bool
    """Whether the account has the platform's own human service, which may take a talk."""

    def send(self, openid: str, reply: Reply) -> None:
        """Send one message outside of a webhook's answer.

        Raises:
            PlatformUnavailableError, NotDeliveredError, UnreachableError.
        """

    def notify(self, openid: str, reply: Reply) -> bool:
        """Send a message that `send` may not send now, another way; False if none fits.

        Raises:
            PlatformUnavailableError, NotDeliveredError, UnreachableError.
        """

    def typing(self, openid: str) -> None:
        """Show that an answer is being prepared; failures do not matter."""

    def fetch(self, media_id: str, *, limit: int) -> bytes:
        """The file of a photo or video that a person sent, at most `limit` bytes.

        Raises:
            PlatformUnavailableError, MediaGoneError.
        """

    def sign_in_address(self, return_to: str, state: str) -> str:
        """Where a browser inside the platform is sent to find out who is looking (OAuth)."""

    def who(self, code: str) -> str:
        """The openid behind an OAuth code, which works once.

        Raises:
            PlatformUnavailableError: when the platform cannot be asked.
            UnreachableError: when the code is invalid, used, or not a real user's.
        """
