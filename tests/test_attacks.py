"""Every known attack that applies here has its test: ``tests/data/attacks.tsv`` lists them, ``@pytest.mark.attack``
says which tests try them."""

from __future__ import annotations

import ast
import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def listed() -> list[dict[str, str]]:
    """The attacks of the list."""
    with (TESTS / "data" / "attacks.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def marks(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(attack, test) for all marks of all tests in a module's tree. Only tests count, and only literal ids."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.attack":
                assert not decorator.keywords, f"{node.name} names its attacks by keyword"
                assert decorator.args, f"{node.name} names no attack"
                for argument in decorator.args:
                    assert isinstance(argument, ast.Constant), f"{node.name} does not spell out its attacks"
                    assert isinstance(argument.value, str), f"{node.name} does not spell out its attacks"
                    yield argument.value, node.name


def tried() -> dict[str, set[str]]:
    """The tests that try each attack."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(TESTS.rglob("*.py")):
        for attack, test in marks(ast.parse(path.read_text(encoding="utf-8"))):
            found[attack].add(f"{path.relative_to(TESTS)}::{test}")
    return found


def test_the_list_is_well_formed() -> None:
    rows = listed()
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["applies"] in {"yes", "later"}, row["id"]
        assert row["attack"].endswith("."), row["id"]
        assert row["applies"] == "yes" or row["note"], f"{row['id']}: why later?"


def test_every_attack_that_applies_is_tried() -> None:
    found = tried()
    assert sorted(row["id"] for row in listed() if row["applies"] == "yes" and row["id"] not in found) == []


def test_no_test_names_an_attack_that_is_not_listed() -> None:
    found = tried()
    known = {row["id"] for row in listed()}
    assert {attack: tests for attack, tests in found.items() if attack not in known} == {}


def test_marks_are_read_from_tests_only() -> None:
    source = (
        '@pytest.mark.attack("A-1", "A-2")\nasync def test_x(): ...\n@pytest.mark.attack("A-3")\ndef helper(): ...\n'
    )
    assert sorted(marks(ast.parse(source))) == [("A-1", "test_x"), ("A-2", "test_x")]
