"""One running product for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.product.actors import HotelSoftware, Product, running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("product"), LIVENESS="unsafe-none") as product:
        product.spare_the_disk()
        yield product


@pytest.fixture(scope="module")
def hotel(product: Product) -> HotelSoftware:
    return HotelSoftware.by_command(product, "南沙港湾酒店一号", "hotel", "internet_cafe")
