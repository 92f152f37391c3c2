"""The layers: which file may include what. Data goes one way, and headers show where."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A header that only some files may include: (pattern of the include, pattern of the files).
OWNERS = [
    (r"libpq-fe\.h", r"libquery/src/.*"),
    (r"httplib\.h", r"server/http[^/]*"),
    (r"pybind11/.*", r"python/src/.*"),
    (r"nlohmann/.*", r"server/request[^/]*"),
]
# Files with more lines than this have two subjects, unless a reason stands here.
MOST_LINES = 400


def problems(root: Path) -> list[str]:
    found = []
    for folder in ("libquery", "server", "python"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in {".cpp", ".hpp"}:
                continue
            name = path.relative_to(root).as_posix()
            text = path.read_text()
            if text.count("\n") > MOST_LINES:
                found.append(f"{name} has more than {MOST_LINES} lines")
            for include in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M):
                for header, owner in OWNERS:
                    if re.fullmatch(header, include) and not re.fullmatch(owner, name):
                        found.append(f"{name} includes {include}")
                inside = folder == "libquery"
                if not inside and "libquery/" in include:
                    found.append(f"{name} reaches into the library: {include}")
    return found


def test_the_layers_hold() -> None:
    assert problems(ROOT) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("libquery/include/query/bad.hpp", "#include <libpq-fe.h>\n"),
        ("server/service.cpp", '#include "httplib.h"\n'),
        ("server/response.cpp", "#include <nlohmann/json.hpp>\n"),
        ("libquery/src/bad.cpp", "#include <pybind11/pybind11.h>\n"),
        ("python/src/bad.cpp", '#include "../../libquery/src/session.hpp"\n'),
        ("server/long.cpp", "\n" * (MOST_LINES + 1)),
    ],
)
def test_a_breach_is_found(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert len(problems(tmp_path)) == 1
