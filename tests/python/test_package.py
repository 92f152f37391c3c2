"""What is installed: the version, the types for type checkers, and nothing else."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import libquery

ROOT = Path(__file__).resolve().parents[2]


def test_one_version() -> None:
    project = re.search(r"project\(query VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert project is not None
    assert libquery.__version__ == project[1] == importlib.metadata.version("libquery")


def test_the_wheel_holds_the_package_and_its_types() -> None:
    files = importlib.metadata.files("libquery")
    assert files is not None
    installed = {str(file) for file in files if "__pycache__" not in str(file)}
    package = {name for name in installed if not name.startswith("libquery-")}
    source = {f"libquery/{file.name}" for file in (ROOT / "python" / "libquery").glob("*.py*")}
    assert {"libquery/py.typed", "libquery/_core.pyi"} <= package
    assert {name for name in source if name.endswith((".py", ".pyi"))} <= package
    (extension,) = package - source - {"libquery/py.typed"}
    assert re.fullmatch(r"libquery/_core\.cpython-.*\.so", extension)
    assert any(name.endswith("licenses/LICENSE") for name in installed)


def test_the_manual_is_the_description() -> None:
    metadata = importlib.metadata.metadata("libquery")
    manual = (ROOT / "python" / "README.md").read_text()
    assert manual.strip() in (metadata.get_payload() or "").strip()  # type: ignore[attr-defined]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Requires-Dist") is None


def test_all_that_is_public_is_named() -> None:
    public = {name for name in vars(libquery) if not name.startswith("_")}
    assert public <= set(libquery.__all__)
    for name in libquery.__all__:
        assert hasattr(libquery, name)


def test_importing_is_quick_and_needs_no_database() -> None:
    program = "import libquery; libquery.Pool('host=nowhere.invalid'); print('fine')"
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", program],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)
