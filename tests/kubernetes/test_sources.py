"""The files themselves: their form, that all are used, and that no secret is among them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from render import MANIFESTS, OVERLAYS, ROOT


def test_yaml_is_in_form() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "kubernetes"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def named_files(folder: Path) -> set[Path]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    names = [*kustomization.get("resources", []), *kustomization.get("patchesStrategicMerge", [])]
    for generator in kustomization.get("configMapGenerator", []):
        names += generator.get("files", [])
        names += [generator["env"]] if "env" in generator else []
    for generator in kustomization.get("secretGenerator", []):
        names.append(generator["env"] + ".example")
    return {folder / name for name in names}


def test_every_file_is_used() -> None:
    folders = [path.parent for path in MANIFESTS.rglob("kustomization.yaml")]
    used = set().union(*(named_files(folder) for folder in folders))
    there = {
        path
        for path in MANIFESTS.rglob("*")
        if path.is_file()
        and path.name not in ("kustomization.yaml", "README.md")
        and not path.name.endswith(".secret.env")
    }
    assert used == there


def test_overlays_are_all_tested() -> None:
    there = {path.name for path in (MANIFESTS / "overlays").iterdir() if path.is_dir()}
    assert there == set(OVERLAYS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_ignored_by_git_and_their_examples_are_not(overlay: str) -> None:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a checkout of git")
    examples = sorted((MANIFESTS / "overlays" / overlay).glob("*.secret.env.example"))
    assert examples
    for example in examples:
        for path, ignored in ((example, False), (example.with_suffix(""), True)):
            done = subprocess.run(
                ["git", "check-ignore", "-q", str(path)], cwd=ROOT, timeout=20, check=False
            )
            assert (done.returncode == 0) == ignored, path


def test_no_secret_is_written_into_a_manifest() -> None:
    for path in MANIFESTS.rglob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            assert document["kind"] != "Secret", path
        assert not re.search(r"(?i)password:\s*\S", path.read_text()), path
