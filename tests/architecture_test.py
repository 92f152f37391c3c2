"""The layers: which file may include what. Data goes one way, and the includes show where."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A header that only some files may include: (pattern of the header, pattern of the files).
OWNERS = [
    (r"libpq-fe\.h", r"libquery/src/.*|tests/.*"),
    (r"httplib\.h", r"server/http[^/]*"),
    (r"pybind11/.*", r"python/src/.*"),
    (r"nlohmann/.*", r"server/request[^/]*|tests/.*"),
]
# What writes values' text is pure: of the engine it knows nothing but itself.
PURE = re.compile(r"libquery/src/(json_(type|text|escape)|csv_text|text_(chunk|copy))\.[ch]pp")
PURE_HEADERS = {
    "json_type.hpp",
    "json_text.hpp",
    "json_escape.hpp",
    "csv_text.hpp",
    "text_chunk.hpp",
    "text_copy.hpp",
}

SUFFIXES = {".cpp", ".hpp", ".py", ".pyi", ".sh"}
# A longer file has two subjects. The cases of one subject may fill more than its code.
MOST_LINES = {"libquery": 400, "server": 400, "python": 400, "kubernetes": 400, "tests": 600}
LONGER_FOR_A_REASON: dict[str, str] = {}


def include_problems(name: str, text: str, neighbours: set[str]) -> list[str]:
    found = []
    for mark, header in re.findall(
        r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)', text, re.MULTILINE
    ):
        for owned, owner in OWNERS:
            if re.fullmatch(owned, header) and not re.fullmatch(owner, name):
                found.append(f"{name} includes {header}, which is not its business")
        # A unit test looks inside; every other file names its neighbours, or says <query/...>.
        if mark == '"' and header not in neighbours and not name.startswith("tests/"):
            found.append(f"{name} includes {header}, which is not beside it")
        if mark == '"' and PURE.fullmatch(name) and header not in PURE_HEADERS:
            found.append(f"{name} writes text and includes {header}")
    return found


def problems(root: Path) -> list[str]:
    found = []
    for folder, most in MOST_LINES.items():
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            name = path.relative_to(root).as_posix()
            text = path.read_text()
            lines = text.count("\n")
            if lines > most and name not in LONGER_FOR_A_REASON:
                found.append(f"{name} has {lines} lines, more than {most}")
            if path.suffix in {".cpp", ".hpp"}:
                neighbours = {file.name for file in path.parent.iterdir()}
                found += include_problems(name, text, neighbours)
    return found


def test_the_layers_hold() -> None:
    assert [path for path in MOST_LINES if not (ROOT / path).is_dir()] == []
    assert problems(ROOT) == []


def test_no_reason_outlives_its_file() -> None:
    assert [name for name in LONGER_FOR_A_REASON if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("libquery/include/query/bad.hpp", "#include <libpq-fe.h>\n"),
        ("server/bad.cpp", "#include <libpq-fe.h>\n"),
        ("server/service.cpp", "# include <httplib.h>\n"),
        ("server/response.cpp", "#include <nlohmann/json.hpp>\n"),
        ("server/bad.cpp", '#include "session.hpp"\n'),
        ("libquery/src/bad.cpp", "  #include <pybind11/pybind11.h>\n"),
        ("libquery/src/json_text.cpp", '#include "session.hpp"\n'),
        ("python/src/bad.cpp", '#include "../../libquery/src/session.hpp"\n'),
        ("server/long.cpp", "\n" * 401),
        ("tests/http/test_long.py", "\n" * 601),
    ],
)
def test_a_breach_is_found(tmp_path: Path, name: str, text: str) -> None:
    session = tmp_path / "libquery" / "src" / "session.hpp"
    session.parent.mkdir(parents=True)
    session.touch()
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (found,) = problems(tmp_path)
    assert found.startswith(name)


def test_what_is_allowed_is_not_reported(tmp_path: Path) -> None:
    for name, text in [
        ("libquery/src/libpq.hpp", "#include <libpq-fe.h>\n"),
        (
            "server/http.cpp",
            '#include <httplib.h>\n#include "http.hpp"\n#include <query/query.hpp>\n',
        ),
        ("server/http.hpp", "#pragma once\n"),
        ("tests/unit/session_test.cpp", '#include "session.hpp"\n' * 600),
    ]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert problems(tmp_path) == []
