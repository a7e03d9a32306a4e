"""People's names: what is accepted, how it is written, and how it is masked.

Ideographs include the rare ones of the CJK extensions; how few make a name is the registry's
to say, not ours. Names of several minorities have parts joined by a dot, which people type as
one of many dots and which is kept as `·` (U+00B7, as in GB 18030 and on the cards). Letters of
the Latin script are accepted for holders whose card shows them.
"""

from __future__ import annotations

import re
import unicodedata

from credentials.errors import CredentialError

LONGEST = 20
LONGEST_LATIN = 50
LONGEST_TEXT = 400  # before blanks are folded; what is longer is not looked at
DOT = "·"
_DOTS = re.compile(r"\s*[·•・･．.‧∙⋅●․]\s*")
# The ideographs: basic block and extension A, 〇, compatibility ideographs, then planes 2 and 3.
_HAN = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f\U00030000-\U000323af"
_CHINESE = re.compile(rf"[{_HAN}]+(?:·[{_HAN}]+)*")
_LATIN_LETTER = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_LATIN = re.compile(rf"[{_LATIN_LETTER}]+(?:(?:\.? |['-])[{_LATIN_LETTER}]+)*\.?")
_LATIN_WORD = re.compile(rf"[{_LATIN_LETTER}]+")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u2060\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u0060\u00b4]")
_HYPHENS = re.compile("[\u2010-\u2015]")
# Surnames of two characters; a name of two characters has none of them.
_COMPOUND_SURNAMES = re.compile(
    "欧阳|司马|上官|诸葛|司徒|司空|东方|独孤|南宫|夏侯|皇甫|尉迟|公孙|慕容|长孙|宇文|令狐|轩辕|"
    "端木|百里|呼延|东郭|南门|西门|闻人|澹台|公冶|宗政|濮阳|淳于|单于|太叔|申屠|仲孙|钟离|鲜于|"
    "闾丘|亓官|司寇|子车|颛孙|巫马|公西|漆雕|乐正|壤驷|公良|拓跋|夹谷|宰父|谷梁|第五|左丘|东门|"
    "公羊|赫连|万俟|歐陽|司馬|諸葛|東方"
)


class PersonNameError(CredentialError):
    """A text that is no name; `code` is empty, too_long or characters.

    `details["character"]` is the first character that no name has, `details["limit"]` the most
    characters a name has.
    """

    code = "empty"


def parse(text: str) -> str:
    """The name as it is kept: dots as `·`, no blanks between ideographs, composed letters.

    Raises:
        PersonNameError: with the code of what is wrong.
    """
    if len(text) > LONGEST_TEXT:
        raise PersonNameError("too_long", limit=LONGEST)
    name = normalise(text)
    if not name:
        raise PersonNameError("empty")
    latin = _LATIN.fullmatch(name) is not None
    limit = LONGEST_LATIN if latin else LONGEST
    if len(name) > limit:
        raise PersonNameError("too_long", limit=limit)
    if latin or _CHINESE.fullmatch(name):
        return name
    raise PersonNameError("characters", character=_offender(name))


def normalise(text: str) -> str:
    """One way of writing for every way of typing; refuses nothing.

    NFC rather than NFKC: compatibility ideographs of a registered name must stay as they are,
    so only full-width letters and blanks are folded.
    """
    name = _INVISIBLE.sub("", text)
    name = "".join(_half_width(character) for character in name)
    name = _APOSTROPHES.sub("'", _HYPHENS.sub("-", name))
    if re.search(rf"[{_HAN}]", name):
        return re.sub(r"\s+", "", _DOTS.sub(DOT, name))
    name = _DOTS.sub(lambda dot: ". " if "." in dot[0] else " ", name)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", name)).strip()


def same(first: str, second: str) -> bool:
    """Whether two ways of writing are one name; letters' case does not matter."""
    return normalise(first).casefold() == normalise(second).casefold()


def mask(name: str) -> str:
    """The name with only the surname left, a star for each hidden character.

    张三 → 张*, 欧阳娜娜 → 欧阳**. Names with a dot begin with the person's own name, so only
    their first character stays: 阿迪力·买买提 → 阿**·***. Of Latin names the initials stay.
    """
    if _LATIN.fullmatch(name):
        return _LATIN_WORD.sub(lambda word: word[0][0] + "*" * (len(word[0]) - 1), name)
    if DOT in name:
        return name[0] + "".join(c if c == DOT else "*" for c in name[1:])
    kept = 2 if len(name) > 2 and _COMPOUND_SURNAMES.match(name) else 1
    return name[:kept] + "*" * (len(name) - kept)


def _half_width(character: str) -> str:
    if "\uff01" <= character <= "\uff5e" or character == "\u3000":
        return unicodedata.normalize("NFKC", character)
    return character


def _offender(name: str) -> str:
    allowed = re.compile(rf"[{_HAN}]|{DOT}")
    return next((character for character in name if not allowed.match(character)), name[0])
