"""What a person's hand does on a phone, and the push that each act becomes."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulator.platform import quota
from simulator.platform.courier import Courier, Push
from simulator.platform.errors import ApiError
from simulator.platform.media import Media, Medium
from simulator.platform.people import Message, Person
from simulator.platform.scenes import Scenes
from simulator.platform.world import World

LONGEST_SCENE_URL = 2048


class HandError(Exception):
    """Something that a phone does not let a person do."""


class Hand:
    """Acts for the persons of a world. An act returns at once; its push follows in order."""

    def __init__(self, world: World, media: Media, scenes: Scenes, courier: Courier) -> None:
        self._world = world
        self._media = media
        self._scenes = scenes
        self._courier = courier

    def follow(self, openid: str, scene: str = "") -> None:
        """Follow the account; with a scene, by scanning its QR."""
        person = self._world.person(openid)
        if person.following:
            return
        found = self._scenes.find(scene) if scene else None
        if scene and found is None:
            raise HandError("there is no such QR code, or it has expired")
        person.following, person.followed_at = True, self._world.now()
        person.scene = found.scene if found else ""
        quota.touched(self._world, person)
        extra = {"EventKey": f"qrscene_{found.scene}", "Ticket": found.ticket} if found else {}
        self._event(person, "subscribe", {"EventKey": "", **extra})

    def unfollow(self, openid: str) -> None:
        """Stop following; nothing more can be sent to them."""
        person = self._world.person(openid)
        if not person.following:
            return
        person.following = False
        person.message_left = person.touch_left = 0
        person.subscriptions.clear()
        self._world.keep(person)
        self._event(person, "unsubscribe", {"EventKey": ""}, notice=False)

    def say(self, openid: str, text: str, menu_id: str = "") -> Message:
        """Write a text; `menu_id` names the quick answer that was tapped."""
        if not text.strip():
            raise HandError("there is nothing to send")
        extra = {"bizmsgmenuid": menu_id} if menu_id else {}
        return self._message(openid, "text", {"content": text}, {"Content": text, **extra})

    def send_media(
        self, openid: str, kind: str, data: bytes, content_type: str = "", heard: str = ""
    ) -> Message:
        """Send a photo (`image`), a `voice` (with what was heard), a `video` or `shortvideo`."""
        if not data:
            raise HandError("the file is empty")
        stored = "video" if kind == "shortvideo" else kind
        medium = self._media.take(stored, data, content_type)
        content: dict[str, Any] = {"media_id": medium.id}
        fields: dict[str, Any] = {"MediaId": medium.id}
        if kind == "image":
            fields = {"PicUrl": self.address(medium), **fields}
        elif kind == "voice":
            content["heard"] = heard
            fields |= {"Format": "amr", "Recognition": heard}
        else:
            fields["ThumbMediaId"] = self._media.take("thumb", data[:1], "image/jpeg").id
        return self._message(openid, kind, content, fields)

    def send_location(self, openid: str, latitude: float, longitude: float, label: str) -> Message:
        """Send a place."""
        content = {"latitude": latitude, "longitude": longitude, "label": label}
        fields = {
            "Location_X": latitude,
            "Location_Y": longitude,
            "Scale": 16,
            "Label": label,
        }
        return self._message(openid, "location", content, fields)

    def send_link(self, openid: str, title: str, description: str, url: str) -> Message:
        """Forward a link into the chat."""
        content = {"title": title, "description": description, "url": url}
        fields = {"Title": title, "Description": description, "Url": url}
        return self._message(openid, "link", content, fields)

    def click(self, openid: str, key: str) -> None:
        """Tap a menu button of type click."""
        person = self._following(openid)
        quota.touched(self._world, person)
        self._event(person, "CLICK", {"EventKey": key})

    def view(self, openid: str, url: str) -> None:
        """Tap a menu button of type view: the account is told, the page opens on the phone."""
        person = self._following(openid)
        self._event(person, "VIEW", {"EventKey": url, "MenuId": 400_000_000}, notice=False)

    def scan(self, openid: str, what: str) -> dict[str, str]:
        """Scan a QR: a scene of the account becomes a push, an address is to be opened.

        Returns:
            `{"scene"}`, `{"open"}` or `{"text"}`.
        """
        found = self._scenes.find(what.strip())
        person = self._world.person(openid)
        if found is None:
            if what.strip().lower().startswith(("http://", "https://")):
                return {"open": what.strip()}
            return {"text": what.strip()}
        if not person.following:
            self.follow(openid, found.ticket)
        else:
            quota.touched(self._world, person)
            self._event(person, "SCAN", {"EventKey": found.scene, "Ticket": found.ticket})
        return {"scene": found.scene}

    def menu_scan(self, openid: str, key: str, result: str) -> None:
        """Scan through a menu button of type scancode_waitmsg."""
        person = self._following(openid)
        quota.touched(self._world, person)
        info = {"ScanType": "qrcode", "ScanResult": result}
        self._event(person, "scancode_waitmsg", {"EventKey": key, "ScanCodeInfo": info})

    def answer_subscription(self, openid: str, template_id: str, *, accept: bool) -> None:
        """Agree or not to one message of a template."""
        person = self._following(openid)
        with self._world.locked():
            if accept:
                person.subscriptions[template_id] = person.subscriptions.get(template_id, 0) + 1
            self._world.keep(person)
        item = {
            "TemplateId": template_id,
            "SubscribeStatusString": "accept" if accept else "reject",
            "PopupScene": 2,
        }
        fields = {"SubscribeMsgPopupEvent": {"List": item}}
        self._event(person, "subscribe_msg_popup_event", fields, notice=False)

    def template_done(self, openid: str, number: int, status: str) -> None:
        """Tell the account what became of a template message."""
        person = self._world.person(openid)
        self._event(
            person, "TEMPLATESENDJOBFINISH", {"MsgID": number, "Status": status}, notice=False
        )

    def fingerprint(self, openid: str, challenge: str) -> dict[str, str]:
        """Match the owner's finger and sign a challenge, as SOTER does (RSA-PSS, SHA-256)."""
        person = self._world.person(openid)
        key = self.fingerprint_key(person)
        raw = {"raw": challenge, "fid": "1", "counter": secrets.randbelow(10**6), "fp_n": "SIM"}
        text = json.dumps(raw, separators=(",", ":"))
        signed = key.sign(text.encode(), _pss(), hashes.SHA256())
        return {"json_string": text, "json_signature": base64.b64encode(signed).decode()}

    def fingerprint_key(self, person: Person) -> rsa.RSAPrivateKey:
        """The phone's signing key, made when first needed."""
        with self._world.locked():
            if not person.fingerprint_key:
                made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
                person.fingerprint_key = made.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ).decode()
                self._world.keep(person)
            key = serialization.load_pem_private_key(person.fingerprint_key.encode(), None)
        if not isinstance(key, rsa.RSAPrivateKey):  # only ever made above
            raise ApiError(-1)
        return key

    def address(self, medium: Medium) -> str:
        """The address at which anybody can fetch a file (PicUrl, video_url)."""
        return f"{self._world.config.base}/mmbiz/{medium.id}"

    def _following(self, openid: str) -> Person:
        person = self._world.person(openid)
        if not person.following:
            raise HandError("follow the account first")
        return person

    def _message(
        self, openid: str, kind: str, content: dict[str, Any], fields: dict[str, Any]
    ) -> Message:
        person = self._following(openid)
        quota.wrote(self._world, person)
        message = self._world.write(openid, "person", kind, content, "sending")
        number = self._world.next_id()
        full = {**self._common(person, kind), **fields, "MsgId": number}
        self._courier.send(Push(number, openid, full, message.id))
        return message

    def _event(
        self, person: Person, event: str, fields: dict[str, Any], *, notice: bool = True
    ) -> None:
        full = {**self._common(person, "event"), "Event": event, **fields}
        self._courier.send(Push(self._world.next_id(), person.openid, full, notice=notice))

    def _common(self, person: Person, kind: str) -> dict[str, Any]:
        return {
            "ToUserName": self._world.config.original_id,
            "FromUserName": person.openid,
            "CreateTime": int(self._world.now()),
            "MsgType": kind,
        }


def _pss() -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
