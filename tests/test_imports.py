"""Imports go the way the data goes: nothing below imports anything above it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOUNDATION = {"settings", "texts"}
MAY_IMPORT = {
    "settings": set(),
    "texts": set(),
    "faces": set(),
    "simulator": set(),
    "credentials": FOUNDATION,
    "handlers": FOUNDATION | {"credentials", "faces"},
    "bot": FOUNDATION | {"credentials", "faces", "handlers"},
    "web": FOUNDATION | {"credentials", "faces"},
}
TOP = {"app", "parts"}
OURS = {*MAY_IMPORT, *TOP, "commands", "benchmarks", "tests"}


def _modules(package: str) -> Iterator[Path]:
    single = ROOT / f"{package}.py"
    yield from [single] if single.exists() else sorted((ROOT / package).rglob("*.py"))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_nothing_imports_upward(package: str) -> None:
    modules = list(_modules(package))
    assert modules
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules
        for name in _imported(path)
        if name in OURS - MAY_IMPORT[package] - {package}
    ]
    assert wrong == []


def test_only_tests_and_the_command_line_know_the_simulator() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        if package != "simulator"
        for path in _modules(package)
        if "simulator" in set(_imported(path))
    ]
    assert wrong == []


def test_the_image_holds_every_package_that_the_product_imports() -> None:
    """deploy/Dockerfile copies package by package; one that is missing stops every process."""
    image = (ROOT / "deploy/Dockerfile").read_text()
    assert set(re.findall(r"(\w+)\.py\b", image.partition("CMD")[0])) == {*TOP, "settings"}
    copied = set(re.findall(r"^COPY (\w+) ", image, re.M))
    wanted = {"static", "packaging"}
    packages = (OURS | set(MAY_IMPORT)) - TOP - {"tests", "benchmarks", "settings"}
    for package in (*TOP, *packages):
        for path in _modules(package):
            wanted |= set(_imported(path)) & packages
    assert copied == wanted
