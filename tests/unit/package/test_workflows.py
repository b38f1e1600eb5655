"""The workflows: every platform is there, nothing unpinned runs, and no job may do more than it has to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from scripts.setup.layout import REPOSITORY_DIR

WORKFLOWS = REPOSITORY_DIR / ".github" / "workflows"
PATHS = sorted(WORKFLOWS.glob("*.yml"))


def load(path: Path) -> dict[str, Any]:
    content: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["on"] = content.pop(True)  # YAML 1.1 reads the word `on` as true
    return content


def steps_of(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands_of(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_both_are_there() -> None:
    assert [path.name for path in PATHS] == ["installers.yml", "tests.yml"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_actions_are_githubs_own_or_pinned_by_commit(path: Path) -> None:
    for step in steps_of(load(path)):
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+|[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_rights_are_few_and_credentials_do_not_stay(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job.get("permissions") == ({"contents": "write"} if name == "release" else None)
    for step in steps_of(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_expression_is_pasted_into_a_shell(path: Path) -> None:
    """What stands in `run` comes from the file alone; a branch's name must not become a command."""
    for step in steps_of(load(path)):
        for found in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step.get("run", "")):
            assert found.startswith("matrix."), found


def test_every_check_runs_on_every_system_and_python() -> None:
    [job] = load(WORKFLOWS / "tests.yml")["jobs"].values()
    matrix = job["strategy"]["matrix"]
    systems = {re.split(r"[-\d]", item["runner"])[0]: item["python"] for item in matrix["system"]}
    assert systems == {"ubuntu": "python3", "windows": "python", "macos": "python3"}
    assert matrix["python-version"] == ["3.11", "3.13"]
    assert "scripts/test.py" in commands_of(job)
    assert job["strategy"]["fail-fast"] is False


def test_every_platform_is_built_and_tried() -> None:
    job = load(WORKFLOWS / "installers.yml")["jobs"]["build"]
    names = [item["name"] for item in job["strategy"]["matrix"]["include"]]
    assert names == ["linux-x86_64", "windows-x86_64", "macos-arm64", "macos-x86_64"]
    commands = commands_of(job)
    assert "scripts/build_installer.py --variant standard --variant slim" in commands
    build_at, smoke_at = commands.index("build_installer.py"), commands.index("smoke_installed.py")
    assert build_at < smoke_at, "what is uploaded was tried"
    conditions = [step["if"] for step in job["steps"] if "smoke_installed.py" in step.get("run", "")]
    assert conditions == ["runner.os != 'Linux'", "runner.os == 'Linux'"]
    [upload] = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")]
    for ending in ("exe", "dmg", "deb", "tar.xz"):
        assert f"dist/*.{ending}" in upload["with"]["path"]


def test_what_is_fetched_is_checked() -> None:
    workflow = load(WORKFLOWS / "installers.yml")
    commands = commands_of(workflow["jobs"]["build"])
    assert commands.count("https://") == 2
    for name in ("VULKAN_LINUX_SHA256", "VULKAN_WINDOWS_SHA256"):
        assert re.fullmatch(r"[0-9a-f]{64}", workflow["env"][name])
        assert commands.count(name) == 1


def test_sums_are_uploaded_and_a_tag_makes_a_release() -> None:
    workflow = load(WORKFLOWS / "installers.yml")
    triggers = workflow["on"]
    assert triggers["push"] == {"tags": ["v*"]}
    assert "workflow_dispatch" in triggers
    sums, release = workflow["jobs"]["checksums"], workflow["jobs"]["release"]
    assert "sha256sum -- *" in commands_of(sums)
    assert sums["steps"][-1]["with"]["path"] == "SHA256SUMS"
    assert release["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert release["needs"] == "checksums"
    assert "gh release create" in commands_of(release)


def test_secrets_reach_only_steps_of_a_tag() -> None:
    for path in PATHS:
        for step in steps_of(load(path)):
            if "secrets." in str(step):
                assert "startsWith(github.ref, 'refs/tags/v')" in step["if"]
                assert "secrets." not in step["run"], "they come as variables"
