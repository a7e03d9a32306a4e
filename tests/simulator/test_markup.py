"""The platform's XML."""

from __future__ import annotations

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from simulator.markup import MarkupError, read, write

PRINTABLE = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0xD7FF), min_size=1)


@given(PRINTABLE)
def test_a_text_comes_back_whatever_it_holds(text: str) -> None:
    assert read(write({"Content": text}))["Content"] == text


def test_the_end_of_a_cdata_section_in_a_text_is_split() -> None:
    written = write({"Content": "]]><Content>forged</Content>"})
    assert xmltodict.parse(written)["xml"]["Content"] == "]]><Content>forged</Content>"


def test_nested_and_repeated_elements() -> None:
    written = write({"Articles": {"item": [{"Title": "一"}, {"Title": "二"}]}, "ArticleCount": 2})
    assert read(written) == {
        "Articles": {"item": [{"Title": "一"}, {"Title": "二"}]},
        "ArticleCount": "2",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<xml>",
        "<html></html>",
        "<xml><a></xml>",
        '<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>',
        "<xml>\x00</xml>",
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(MarkupError):
        read(text)
