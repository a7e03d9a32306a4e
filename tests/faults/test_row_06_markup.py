"""Row 6. User text with `]]>` and markup: comes back as text."""

from __future__ import annotations

import pytest

from simulator.phone import text_of
from tests.faults.conftest import Figure, Phones
from tests.faults.wire import Wire, said
from tests.product.actors import Product

TEXTS = (
    "]]>",
    "]]><Content>x",
    "<![CDATA[x]]>",
    "<a href='//e.cn'>",
    "&lt;b&gt; &amp;",
    "<xml></xml><xml>",
    '"]}{"errcode":0}',
    "{name} %s {0}",
)


@pytest.mark.parametrize("words", TEXTS)
def test_it_is_taken_and_given_back_as_text(
    shared_product: Product, phones: Phones, words: str
) -> None:
    phone = phones(shared_product)
    for say, expected in (("申请", "1/4"), ("同意", "2/4")):
        phone.say(say)
        phone.wait_for(expected)
    phone.say(words)
    answer = phone.wait_for("姓名中不会有")
    strange = next(each for each in words if not (each.isalnum() or each in " ·"))
    assert f"“{strange}”" in text_of(answer)
    assert answer["kind"] == "text"


def test_it_comes_back_over_the_bare_wire(shared_product: Product, figure: Figure) -> None:
    wire = Wire(shared_product)
    for words in ("申请", "同意"):
        said(wire.push(wire.text(words)))
    # `xml()` of the pushes does not split `]]>`; the platform does, and so does this.
    split = wire.text("王]]]]><![CDATA[>小明")
    answer = said(wire.push(split))
    assert "“]”" in answer
    figure("texts", len(TEXTS) + 1, "")
