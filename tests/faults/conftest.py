"""What the rows of the table of faults share: running products, phones, and figures to report.

Each row is a file `test_row_NN_<name>.py` whose docstring begins with the row's fault and what
is expected; `make faults` prints them with the figures that they recorded. A row that kills or
stops something asks for `product`, its file's own; one that leaves everything whole asks for
`shared_product`, which all such files of a test process use, since a start costs seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from simulator.phone import Phone
from tests.faults import browser, wire
from tests.faults.acts import Office, office_of
from tests.product.actors import Product, running

Figure = Callable[[str, float, str], None]
Phones = Callable[[Product], Phone]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A run of the product for this file alone."""
    with running(tmp_path_factory.mktemp("faults"), LIVENESS="unsafe-none") as product:
        yield product


@pytest.fixture(scope="session")
def shared_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A run of the product for all files that leave it as they found it."""
    with running(tmp_path_factory.mktemp("shared"), LIVENESS="unsafe-none") as product:
        yield product


@pytest.fixture(scope="session")
def shared_office(shared_product: Product) -> Iterator[Office]:
    """The shared product's own services, to issue cards without a chat and to look inside."""
    with office_of(shared_product) as office:
        yield office


@pytest.fixture(scope="session", autouse=True)
def connections() -> Iterator[None]:
    """End what `Browser` and `Wire` keep open."""
    yield
    for client in (*browser.OPENED, wire.LINE):
        client.close()


@pytest.fixture
def phones() -> Iterator[Phones]:
    """`phones(product)` is another phone that just followed the account and was greeted."""
    with contextlib.ExitStack() as stack:

        def another(product: Product) -> Phone:
            phone = stack.enter_context(Phone(product.address))
            phone.follow()
            phone.wait_for("申请")
            return phone

        yield another


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """`figure("slowest answer", 0.31, "s")`: a figure for the row's line in the table."""

    def record(name: str, value: float, unit: str) -> None:
        request.node.user_properties.append(("figure", (name, float(value), unit)))

    return record
