"""The whole conversation. What is said next, and where each outcome leads, stands here alone.

`again` stays and says a sentence, `back` says one and returns to where the person was, `to` says
one on the way to a step, `done` says one and the person is at home. The sentences are in
`texts/<language>/chat.po`.
"""

from __future__ import annotations

from typing import Final

from faces.errors import PHOTO_CODES
from faces.gestures import Gesture
from handlers import answers, facing, life, proofing, scenes, upgrading, works
from handlers.steps import Ask, Dialog, Where, Work, again, back, done, to
from handlers.turn import Kind

YES_NO: Final = ("answer.yes", "answer.no")
TEXT, IMAGE, VIDEO = Kind.TEXT, Kind.IMAGE, Kind.VIDEO
UPGRADED: Final[dict[str, Where]] = {  # where both ways of checking a face lead in an upgrade
    "bound": done("upgrade.bound"),
    "upgraded": done("upgrade.done"),
    "over": done("upgrade.over"),
    "pin": done("upgrade.pin"),
    "pin_later": done("upgrade.pin_later"),
    "poor": to("upgrade_face_check", "chat.face.poor"),
    "gone": to("upgrade_face_check", "chat.face.gone"),
    "no_match": to("upgrade_face_check", "chat.face.no_match"),
    "suspect": to("upgrade_face_check", "face.suspect"),
    "review": "upgrade_in_review",
    "cooling": done("upgrade.cooling"),
    "portrait": done("chat.face.portrait"),
    "changed": done("upgrade.changed"),
}

DIALOG: Final = Dialog(
    version="1",
    home="home",
    steps={
        "home": Ask(
            says="chat.home",
            takes=answers.small_talk,
            leads={"chatted": again("chat.home")},
            silent=True,
            answers=("answer.apply", "answer.card", "answer.help"),
        ),
        # Enrolment: consent, name, ID number, registry, face.
        "begin": Work(
            does=proofing.begin_enrolment,
            leads={
                "fresh": "consent",
                "going": back("chat.begin.going"),
                "has_card": back("chat.begin.has_card"),
                "cooling": back("chat.face.cooling"),
                "too_often": back("chat.registry.too_often"),
            },
        ),
        "begin_in_district": Work(
            does=scenes.begin_in_district,
            leads={
                "fresh": "consent",
                "going": back("chat.begin.going"),
                "has_card": back("chat.begin.has_card"),
                "cooling": back("chat.face.cooling"),
                "too_often": back("chat.registry.too_often"),
                "outside": back("scene.outside"),
            },
        ),
        "consent": Ask(
            says="chat.consent",
            position="1/4",
            takes=answers.consents,
            answers=("answer.agree", "answer.agree_first", "answer.cancel"),
            own_words=answers.OWN,
            leads={
                "both": "name",
                "only_data": to("name", "chat.consent.only_data"),
                "only_face": again("chat.consent.only_face"),
                "refused": done("chat.consent.refused"),
                "unclear": again("chat.consent.unclear"),
            },
        ),
        "name": Ask(
            says="chat.name",
            position="2/4",
            kinds=frozenset({TEXT, IMAGE}),
            takes=answers.name,
            leads={
                "named": "id_number",
                "card_photo": "card_photo",
                "empty": again("chat.name.empty"),
                "too_long": again("chat.name.too_long"),
                "characters": again("chat.name.characters"),
                "number": again("chat.name.number"),
            },
        ),
        "card_photo": Work(
            says="chat.card_photo",
            position="2/4",
            does=proofing.read_card,
            leads={
                "read": "confirm_card",
                "back": to("name", "chat.card_photo.back"),
                "poor": to("name", "chat.card_photo.poor"),
                "too_young": to("name", "chat.card_photo.too_young"),
                "gone": to("name", "chat.card_photo.gone"),
                "unavailable": to("name", "chat.card_photo.gone"),
            },
        ),
        "confirm_card": Ask(
            says="chat.confirm_card",
            position="3/4",
            takes=answers.confirms_card,
            answers=YES_NO,
            leads={
                "yes": "registry",
                "no": to("name", "chat.confirm_card.no"),
                "unclear": again("chat.confirm_card.unclear"),
            },
        ),
        "id_number": Ask(
            says="chat.id_number",
            position="3/4",
            takes=answers.number,
            leads={
                "valid": "registry",
                "length": again("chat.id_number.length"),
                "old_number": again("chat.id_number.old_number"),
                "character": again("chat.id_number.character"),
                "impossible": again("chat.id_number.impossible"),
                "future": again("chat.id_number.future"),
                "too_early": again("chat.id_number.too_early"),
                "checksum": again("chat.id_number.checksum"),
                "too_young": again("chat.id_number.too_young"),
            },
        ),
        "registry": Work(
            says="chat.registry",
            position="3/4",
            keeps_early=True,
            does=proofing.check_registry,
            leads={
                "passed": to("face_check", "chat.registry.passed"),
                "not_registered": to("id_number", "chat.registry.not_registered"),
                "mismatch": to("name", "chat.registry.mismatch"),
                "ended": done("chat.registry.ended"),
                "outside": done("chat.registry.outside"),
                "taken": "move_offer",
                "card_differs": to("name", "face.card_differs"),
                "card_ended": done("chat.registry.card_ended"),
                "too_often": done("chat.registry.too_often"),
                "unavailable": "registry_out",
            },
        ),
        "move_offer": Ask(
            says="life.move_offer",
            position="3/4",
            takes=life.agrees_to_move,
            answers=YES_NO,
            leads={
                "yes": "face_check",
                "no": done("life.move_offer.no"),
                "unclear": again("life.move_offer.unclear"),
            },
        ),
        "registry_out": Ask(
            says="chat.registry_out",
            position="3/4",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "registry"},
        ),
        "face_check": Work(
            does=proofing.choose_face_check,
            leads={"no_consent": "face_consent", "one_photo": "face", "challenge": "gesture"},
        ),
        "face_consent": Ask(
            says="chat.face_consent",
            position="4/4",
            takes=answers.face_consent,
            answers=("answer.agree", "answer.disagree"),
            own_words=answers.OWN,
            leads={
                "agreed": "face_check",
                "refused": done("chat.face_consent.refused"),
                "unclear": again("chat.face_consent.unclear"),
            },
        ),
        "face": Ask(
            says="chat.face",
            position="4/4",
            kinds=frozenset({TEXT, IMAGE, VIDEO}),
            takes_early=True,
            takes=answers.selfie,
            leads={
                "photo": "match_photo",
                "text": again("chat.face.text"),
                "video": again("chat.face.video"),
            },
        ),
        "match_photo": Work(
            says="chat.match",
            position="4/4",
            does=facing.match_photo,
            leads={
                "issued": done("chat.issued", errand="draw_card"),
                "moved": done("life.moved", errand="draw_card"),
                "poor": to("face_check", "chat.face.poor"),
                "gone": to("face_check", "chat.face.gone"),
                "no_match": to("face_check", "chat.face.no_match"),
                "suspect": to("face_check", "face.suspect"),
                "review": "in_review",
                "cooling": done("chat.face.cooling"),
                "taken": done("chat.registry.taken"),
                "portrait": done("chat.face.portrait"),
                "changed": done("chat.face.changed"),
                "unavailable": "photo_out",
            },
        ),
        "photo_out": Ask(
            says="chat.face_out",
            position="4/4",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "match_photo"},
        ),
        "gesture": Ask(
            says="chat.gesture",
            position="4/4",
            kinds=frozenset({TEXT, IMAGE, VIDEO}),
            takes=answers.gesture,
            leads={
                "next": "gesture",
                "complete": "match_challenge",
                "late": to("face_check", "chat.gesture.late"),
                "text": again("chat.gesture.text"),
            },
        ),
        "match_challenge": Work(
            says="chat.match",
            position="4/4",
            does=facing.match_challenge,
            leads={
                "issued": done("chat.issued", errand="draw_card"),
                "moved": done("life.moved", errand="draw_card"),
                "poor": to("face_check", "chat.face.poor"),
                "gone": to("face_check", "chat.face.gone"),
                "no_match": to("face_check", "chat.face.no_match"),
                "suspect": to("face_check", "face.suspect"),
                "review": "in_review",
                "cooling": done("chat.face.cooling"),
                "taken": done("chat.registry.taken"),
                "portrait": done("chat.face.portrait"),
                "changed": done("chat.face.changed"),
                "unavailable": "challenge_out",
            },
        ),
        "challenge_out": Ask(
            says="chat.face_out",
            position="4/4",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "match_challenge"},
        ),
        "in_review": Work(
            says="face.review",
            position="4/4",
            does=facing.hear_decision,
            leads={
                "issued": done("chat.issued", errand="draw_card"),
                "moved": done("life.moved", errand="draw_card"),
                "taken": done("chat.registry.taken"),
                "rejected": done("face.review.rejected"),
                "expired": done("face.review.expired"),
                "changed": done("chat.face.changed"),
                "unavailable": "review_out",
            },
        ),
        "review_out": Ask(
            says="chat.face_out",
            position="4/4",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "in_review"},
        ),
        # The card.
        "card": Work(
            does=works.find_card,
            leads={
                "active": back("chat.card", errand="draw_card"),
                "frozen": back("chat.card.frozen"),
                "held": back("chat.card.held"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
            },
        ),
        "history": Work(
            does=works.list_uses,
            leads={
                "used": back("chat.history"),
                "unused": back("chat.history.unused"),
                "none": back("chat.card.none"),
            },
        ),
        "freeze": Work(
            does=works.freeze_card,
            leads={
                "frozen": back("chat.freeze"),
                "already": back("chat.freeze.already"),
                "held": back("chat.card.held"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
            },
        ),
        "unfreeze": Work(
            does=works.unfreeze_card,
            leads={
                "active": back("chat.unfreeze"),
                "already": back("chat.unfreeze.already"),
                "held": back("chat.card.held"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
            },
        ),
        # The upgrade: the terminal reads chip and finger meanwhile, the face is looked at here.
        "upgrade": Work(
            does=upgrading.begin_upgrade,
            leads={
                "begun": to("upgrade_face_check", "upgrade.begun"),
                "waiting": back("upgrade.waiting"),
                "reviewing": back("upgrade.reviewing"),
                "upgraded": back("chat.upgrade.already"),
                "frozen": back("chat.card.frozen"),
                "held": back("chat.card.held"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
                "cooling": back("upgrade.cooling"),
            },
        ),
        "renew_pin": Work(
            does=upgrading.begin_pin,
            leads={
                "begun": to("upgrade_face_check", "upgrade.pin_begun"),
                "reviewing": back("upgrade.pin_reviewing"),
                "light": back("upgrade.pin_light"),
                "frozen": back("chat.card.frozen"),
                "held": back("chat.card.held"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
                "cooling": back("upgrade.cooling"),
            },
        ),
        "upgrade_face_check": Work(
            does=proofing.choose_face_check,
            leads={
                "no_consent": done("upgrade.changed"),
                "one_photo": "upgrade_face",
                "challenge": "upgrade_gesture",
            },
        ),
        "upgrade_face": Ask(
            says="upgrade.face",
            kinds=frozenset({TEXT, IMAGE, VIDEO}),
            takes=answers.selfie,
            leads={
                "photo": "upgrade_photo",
                "text": again("chat.face.text"),
                "video": again("chat.face.video"),
            },
        ),
        "upgrade_photo": Work(
            says="chat.match",
            does=upgrading.match_photo,
            leads={**UPGRADED, "unavailable": "upgrade_photo_out"},
        ),
        "upgrade_photo_out": Ask(
            says="chat.face_out",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "upgrade_photo"},
        ),
        "upgrade_gesture": Ask(
            says="chat.gesture",
            kinds=frozenset({TEXT, IMAGE, VIDEO}),
            takes=answers.gesture,
            leads={
                "next": "upgrade_gesture",
                "complete": "upgrade_challenge",
                "late": to("upgrade_face_check", "chat.gesture.late"),
                "text": again("chat.gesture.text"),
            },
        ),
        "upgrade_challenge": Work(
            says="chat.match",
            does=upgrading.match_challenge,
            leads={**UPGRADED, "unavailable": "upgrade_challenge_out"},
        ),
        "upgrade_challenge_out": Ask(
            says="chat.face_out",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "upgrade_challenge"},
        ),
        "upgrade_in_review": Work(
            says="face.review",
            does=upgrading.hear_decision,
            leads={
                **{name: UPGRADED[name] for name in ("bound", "upgraded", "over", "changed")},
                **{name: UPGRADED[name] for name in ("pin", "pin_later")},
                "rejected": done("upgrade.review.rejected"),
                "expired": done("upgrade.review.expired"),
                "unavailable": "upgrade_review_out",
            },
        ),
        "upgrade_review_out": Ask(
            says="chat.face_out",
            kinds=frozenset(Kind),
            takes=answers.anything,
            leads={"again": "upgrade_in_review"},
        ),
        # Deleting the card.
        "delete": Work(
            does=works.look_before_delete,
            leads={
                "used": to("confirm_delete", "life.delete"),
                "unused": to("confirm_delete", "life.delete.unused"),
                "none": done("chat.delete.none"),
            },
        ),
        "confirm_delete": Ask(
            says="chat.delete",
            aside=True,
            takes=answers.yes_or_no,
            answers=YES_NO,
            leads={
                "yes": "erase",
                "no": back("chat.delete.kept"),
                "unclear": again("chat.delete.unclear"),
            },
        ),
        "erase": Work(
            does=works.erase_card,
            leads={"erased": done("chat.delete.erased"), "none": done("chat.delete.none")},
        ),
        # What changes about a card, and uses that were not the holder's.
        "not_me": Work(
            does=life.report_not_me,
            leads={
                "reported": back("life.not_me"),
                "reported_ended": back("life.not_me.ended"),
                "unused": back("life.not_me.unused"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
            },
        ),
        "begin_refresh": Work(
            does=life.begin_refresh,
            leads={
                "card": "refresh",
                "going": back("life.refresh.going"),
                "none": back("life.refresh.none"),
                "too_often": back("life.refresh.too_often"),
            },
        ),
        "refresh": Work(
            says="life.refresh",
            does=life.refresh_card,
            leads={
                "same": done("life.refresh.same"),
                "changed": done("life.refresh.changed"),
                "renamed": "new_name",
                "wrong_name": to("new_name", "life.new_name.mismatch"),
                "ended": done("life.refresh.ended"),
                "none": done("life.refresh.none"),
                "too_often": done("life.refresh.too_often"),
                "unavailable": done("life.refresh.unavailable"),
            },
        ),
        "new_name": Ask(
            says="life.new_name",
            takes=life.new_name,
            leads={"named": "refresh", "bad": again("life.new_name.bad")},
        ),
        "notify": Work(
            does=life.notify_me,
            leads={
                "kept": back("life.notify"),
                "open": back("life.open_now"),
                "nothing": back("life.notify.nothing"),
            },
        ),
        # Somebody scanned the card and asks for more than the code shows.
        "approve": Work(
            does=works.approve,
            leads={
                "approved": back("chat.approval.approved"),
                "other": back("chat.approval.other", errand="ask_approval"),
                "pin": back("upgrade.approval_pin"),
                "nothing": back("chat.approval.nothing"),
                "late": back("chat.approval.late"),
            },
        ),
        "deny": Work(
            does=works.deny,
            leads={
                "denied": back("chat.approval.denied"),
                "nothing": back("chat.approval.nothing"),
                "late": back("chat.approval.late"),
            },
        ),
        "deny_and_freeze": Work(
            does=works.deny_and_freeze,
            leads={
                "denied": back("chat.approval.denied_and_frozen"),
                "frozen": back("chat.approval.frozen"),
                "already": back("chat.freeze.already"),
                "held": back("chat.card.held"),
                "ended": back("chat.card.ended"),
                "none": back("chat.card.none"),
            },
        ),
        # Help.
        "human": Work(does=works.call_human, leads={"called": back("chat.human")}),
        "language": Ask(
            says="chat.language",
            aside=True,
            takes=answers.language,
            answers=("answer.language.zh", "answer.language.en", "answer.language.id"),
            leads={"chosen": back("chat.language.chosen"), "unclear": again("chat.language")},
        ),
    },
    anywhere={
        "申请/apply/APPLY": "begin",
        "我的证件/card/CARD": "card",
        "升级/upgrade/UPGRADE": "upgrade",
        "PIN/PIN码/PIN 码/重设PIN": "renew_pin",
        "记录/history/HISTORY": "history",
        "冻结/freeze/FREEZE": "freeze",
        "帮助/help/HELP": back("chat.help"),
        "解冻/unfreeze/UNFREEZE": "unfreeze",
        "取消/cancel/CANCEL": done("chat.cancelled"),
        "注销/delete/DELETE": "delete",
        "人工/human/HUMAN": "human",
        "语言/language/LANGUAGE": "language",
        "不是我/not me": "not_me",
        "更新/refresh": "begin_refresh",
        "通知我/notify me": "notify",
        "批准/同意/approve/agree": "approve",
        "拒绝/deny": "deny",
        "拒绝并冻结/deny and freeze": "deny_and_freeze",
    },
    scenes={"district": "begin_in_district", "terminal": "upgrade"},
    otherwise={
        Kind.TEXT: back("chat.otherwise"),
        Kind.IMAGE: back("chat.otherwise.image"),
        Kind.VOICE: back("chat.otherwise.voice"),
        Kind.VIDEO: back("chat.otherwise.video"),
        Kind.LOCATION: back("chat.otherwise.location"),
        Kind.LINK: back("chat.otherwise.link"),
        Kind.CLICK: back("chat.otherwise"),
        Kind.SCAN: back("chat.welcome"),
        Kind.FOLLOW: back("chat.welcome"),
        Kind.OTHER: back("chat.otherwise"),
    },
    lost="chat.lost",
    changed="chat.changed",
    unheard="chat.restate",
    errands=frozenset({"draw_card", "ask_approval"}),
    words=frozenset(
        {
            "chat.comma",
            "face.place",
            "face.missed.reused",
            "chat.busy",
            *(f"chat.gesture.{gesture}" for gesture in Gesture),
            *(f"chat.photo.{code}" for code in PHOTO_CODES),
            *(
                f"chat.video.{code}"
                for code in ("too_large", "not_a_video", "too_long", "too_short", "too_many_pixels")
            ),
            *(
                f"chat.missed.{reason}"
                for reason in (
                    "no_gestures",
                    "wrong_count",
                    "wrong_gesture",
                    "missing_gesture",
                    "same_image",
                    "other_person",
                    "not_the_portrait",
                )
            ),
            *(
                f"chat.card_photo.{advice}"
                for advice in ("no_card", "file", "closer", "light", "focus")
            ),
            "chat.use.other",
            *(f"upgrade.binding.{name}" for name in ("chip", "fingerprint", "face")),
            "upgrade.ask_pin",
            "upgrade.terminal_bound",
            "upgrade.terminal_refused",
            "life.moved_away",
            "life.renamed",
            "life.ended",
            "life.expires",
            "life.expires_today",
            "life.expired",
            "life.open_now",
            "chat.approval",
            "chat.receipt",
            "chat.card.instead",
        }
    ),
)
