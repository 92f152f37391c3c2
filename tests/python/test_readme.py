"""The manual is executed: every example in python/README.md does what it says there."""

import doctest
from pathlib import Path

import pytest

import libquery

README = Path(__file__).resolve().parents[2] / "python" / "README.md"


def test_every_example_does_what_it_says(dsn: str) -> None:
    text = README.read_text().replace("postgresql:///app", dsn)
    examples = doctest.DocTestParser().get_doctest(text, {}, "README", str(README), 0)
    assert len(examples.examples) > 30
    options = doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    with libquery.Pool(dsn) as pool:
        pool.query("drop table if exists film, account")
        results = doctest.DocTestRunner(optionflags=options).run(examples, out=report.append)
        pool.query("drop table if exists film, account")
    if results.failed:
        pytest.fail("".join(report))
