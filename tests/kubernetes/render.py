"""Renders an overlay as `kubectl apply -k` would, with the example secrets for real ones."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "kubernetes"
OVERLAYS = ("dev", "prod", "external-database")


def renderer() -> list[str]:
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    message = "nothing renders kustomize here: install kubernetes-client (kubectl) or kustomize"
    raise RuntimeError(message)


def render(overlay: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "kubernetes"
        # Secrets of a real deployment stay where they are.
        shutil.copytree(MANIFESTS, copy, ignore=shutil.ignore_patterns("*.secret.env"))
        for example in copy.rglob("*.secret.env.example"):
            shutil.copy(example, example.with_suffix(""))
        done = subprocess.run(
            [*renderer(), str(copy / "overlays" / overlay)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if done.returncode != 0:
        message = f"overlay {overlay} does not render: {done.stderr}"
        raise RuntimeError(message)
    return [document for document in yaml.safe_load_all(done.stdout) if document]
