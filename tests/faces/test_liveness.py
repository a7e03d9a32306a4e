"""A challenge is passed by the person doing what was asked, and by nothing else."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import pytest
from PIL import Image

from faces import liveness, selfie
from faces.encode import Template
from faces.errors import PhotoError, VideoError
from faces.gestures import Gesture
from tests.faces import warping

LEFT, RIGHT, MOUTH, EYES, UP = (
    Gesture.TURN_LEFT,
    Gesture.TURN_RIGHT,
    Gesture.OPEN_MOUTH,
    Gesture.CLOSE_EYES,
    Gesture.LOOK_UP,
)


@functools.cache
def photo(name: str, gesture: Gesture | None) -> bytes:
    return warping.jpeg(warping.gesture(name, gesture))


@functools.cache
def portrait(name: str) -> Template:
    return selfie.measure(warping.jpeg(warping.portrait(name))).template


@functools.cache
def video(name: str, *shown: Gesture | None) -> bytes:
    return warping.film([warping.gesture(name, gesture) for gesture in shown])


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("grace", (LEFT, MOUTH)),
        ("grace", (UP, RIGHT, MOUTH)),
        ("eileen", (MOUTH, EYES)),
        ("eileen", (EYES, UP, LEFT)),
    ],
)
def test_the_person_doing_what_was_asked(name: str, asked: tuple[Gesture, ...]) -> None:
    result = liveness.check_photos(asked, [photo(name, each) for each in asked], portrait(name))
    assert result.live
    assert result.reasons == ()
    assert [frame.asked for frame in result.frames] == list(asked)
    assert all(frame.shown and frame.same_person for frame in result.frames)
    assert result.comparison is not None
    assert result.comparison.match


@pytest.mark.parametrize("asked", [(UP, EYES), (EYES, UP), (LEFT, UP, MOUTH)])
def test_who_was_asked_to_move_the_head_is_known_by_another_picture(
    asked: tuple[Gesture, ...],
) -> None:
    """Some heads at rest measure farther from level than the same heads looking up."""
    photos = [photo("eileen", each) for each in asked]
    result = liveness.check_photos(asked, photos, portrait("eileen"))
    assert result.comparison is not None
    (resting,) = (frame for frame in result.frames if frame.asked in liveness.RESTING)
    assert result.comparison.distance == resting.distance
    assert not result.comparison.doubtful


def test_who_only_moves_the_head_is_known_by_the_picture_nearest_to_a_portrait() -> None:
    asked = (LEFT, UP)
    photos = [photo("eileen", each) for each in asked]
    result = liveness.check_photos(asked, photos, portrait("eileen"))
    assert result.comparison is not None
    assert result.comparison.distance == result.frames[1].distance


@pytest.mark.parametrize("attack", [warping.printed, warping.on_screen])
def test_a_print_or_screen_of_the_right_gestures_is_suspicious(
    attack: Callable[[Image.Image], Image.Image],
) -> None:
    shown = [warping.jpeg(attack(warping.gesture("grace", each))) for each in (LEFT, MOUTH)]
    result = liveness.check_photos((LEFT, MOUTH), shown, portrait("grace"))
    assert result.suspicion.suspicious
    assert "frame" in result.suspicion.reasons


def test_a_person_before_the_camera_is_not_suspicious() -> None:
    shown = [photo("grace", LEFT), photo("grace", MOUTH)]
    result = liveness.check_photos((LEFT, MOUTH), shown, portrait("grace"))
    assert not result.suspicion.suspicious


def test_without_a_portrait_only_the_frames_are_held_together() -> None:
    result = liveness.check_photos((LEFT, MOUTH), [photo("grace", LEFT), photo("grace", MOUTH)])
    assert result.live
    assert result.comparison is None


def test_nothing_asked_is_nothing_passed() -> None:
    result = liveness.check_photos((), [], portrait("grace"))
    assert (result.live, result.reasons) == (False, ("no_gestures",))
    assert not liveness.check_video((), video("grace", None, MOUTH)).live


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_photo_for_each_gesture(count: int) -> None:
    result = liveness.check_photos((LEFT, MOUTH), [photo("grace", LEFT)] * count)
    assert (result.live, result.reasons) == (False, ("wrong_count",))


@pytest.mark.parametrize("shown", [None, RIGHT, UP, MOUTH])
def test_the_wrong_gesture(shown: Gesture | None) -> None:
    result = liveness.check_photos(
        (LEFT, MOUTH), [photo("eileen", shown), photo("eileen", MOUTH)], portrait("eileen")
    )
    assert not result.live
    assert "wrong_gesture" in result.reasons
    assert not result.frames[0].shown


def test_the_right_gestures_in_the_wrong_order() -> None:
    result = liveness.check_photos((LEFT, MOUTH), [photo("eileen", MOUTH), photo("eileen", LEFT)])
    assert result.reasons == ("wrong_gesture",)


def test_another_person_in_mid_sequence() -> None:
    photos = [photo("grace", LEFT), photo("eileen", MOUTH)]
    result = liveness.check_photos((LEFT, MOUTH), photos, portrait("grace"))
    assert not result.live
    assert set(result.reasons) == {"other_person", "not_the_portrait"}


def test_another_person_throughout() -> None:
    photos = [photo("eileen", LEFT), photo("eileen", MOUTH)]
    result = liveness.check_photos((LEFT, MOUTH), photos, portrait("grace"))
    assert result.reasons == ("not_the_portrait",)
    assert not any(frame.same_person for frame in result.frames)


def test_one_photo_sent_for_every_gesture() -> None:
    result = liveness.check_photos((LEFT, MOUTH), [photo("grace", LEFT)] * 2, portrait("grace"))
    assert set(result.reasons) == {"wrong_gesture", "same_image"}


@pytest.mark.parametrize("change", ["jpeg", "light", "noise"])
def test_one_image_saved_anew_is_one_image(change: str) -> None:
    again = warping.gesture("grace", MOUTH)
    if change == "light":
        again = warping.lit(again, 0.85)
    elif change == "noise":
        again = warping.noisy(again, 8)
    data = warping.jpeg(again, 40 if change == "jpeg" else 90)
    result = liveness.check_photos((MOUTH, LEFT), [photo("grace", MOUTH), data])
    assert "same_image" in result.reasons


def test_a_poor_photo_is_no_failed_attempt() -> None:
    dark = warping.jpeg(warping.lit(warping.gesture("grace", MOUTH), 0.1))
    with pytest.raises(PhotoError) as caught:
        liveness.check_photos((LEFT, MOUTH), [photo("grace", LEFT), dark], portrait("grace"))
    assert caught.value.code == "too_dark"
    assert caught.value.details["photo"] == 2


def test_a_video_of_the_person_doing_what_was_asked() -> None:
    shown = video("grace", None, LEFT, None, MOUTH, None)
    result = liveness.check_video((LEFT, MOUTH), shown, portrait("grace"))
    assert result.live
    assert [frame.asked for frame in result.frames] == [None, LEFT, MOUTH]
    numbers = [frame.number for frame in result.frames[1:]]
    assert numbers == sorted(numbers)
    assert result.comparison is not None
    assert result.comparison.match


def test_a_video_of_a_slow_person_is_seen_to_its_end() -> None:
    shown = [warping.gesture("grace", each) for each in (None, LEFT, None, MOUTH)]
    film = warping.film(shown, size=(360, 360), seconds_each=3.0)
    assert liveness.check_video((LEFT, MOUTH), film, portrait("grace")).live


def test_a_video_in_the_wrong_order() -> None:
    shown = video("grace", None, MOUTH, None, LEFT, None)
    result = liveness.check_video((LEFT, MOUTH), shown, portrait("grace"))
    assert result.reasons == ("missing_gesture",)


def test_a_video_in_which_a_gesture_is_missing() -> None:
    result = liveness.check_video(
        (LEFT, MOUTH), video("grace", None, LEFT, None), portrait("grace")
    )
    assert result.reasons == ("missing_gesture",)


def test_a_still_picture_filmed() -> None:
    result = liveness.check_video((MOUTH,), video("grace", MOUTH, MOUTH), portrait("grace"))
    assert not result.live
    assert "same_image" in result.reasons


def test_a_video_in_which_the_person_is_exchanged() -> None:
    pictures = [warping.gesture("grace", each) for each in (None, LEFT, None)]
    pictures += [warping.gesture("eileen", each) for each in (None, MOUTH)]
    result = liveness.check_video((LEFT, MOUTH), warping.film(pictures), portrait("grace"))
    assert not result.live
    assert {"other_person", "not_the_portrait"} <= set(result.reasons)


def test_a_video_of_somebody_else() -> None:
    shown = video("eileen", None, LEFT, MOUTH)
    result = liveness.check_video((LEFT, MOUTH), shown, portrait("grace"))
    assert "not_the_portrait" in result.reasons


def test_a_video_without_a_face_says_what_is_wrong() -> None:
    dark = warping.film([warping.lit(warping.gesture("grace", None), 0.1)])
    with pytest.raises(PhotoError) as caught:
        liveness.check_video((MOUTH,), dark)
    assert caught.value.code == "too_dark"


def test_a_photo_is_no_video() -> None:
    with pytest.raises(VideoError):
        liveness.check_video((MOUTH,), photo("grace", MOUTH))


def test_challenges_are_drawn_from_all_gestures_and_never_repeat_one() -> None:
    drawn = [liveness.draw_challenge(random.Random(seed), 2 + seed % 2) for seed in range(300)]
    assert {gesture for challenge in drawn for gesture in challenge} == set(Gesture)
    assert len(set(drawn)) > 30
    for challenge in drawn:
        assert len(set(challenge)) == len(challenge)
        assert set(challenge) & set(liveness.RESTING)


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_challenge_is_two_or_three_gestures(length: int) -> None:
    with pytest.raises(ValueError, match="two or three"):
        liveness.draw_challenge(random.Random(1), length)
