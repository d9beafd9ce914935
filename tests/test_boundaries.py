"""Who may import whom, held by starting fresh interpreters and by reading every import statement."""

import ast
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[1]

# From the ground up; a package imports only what stands on its own floor or below.
FLOORS: list[set[str]] = [
    {
        "backend.errors",
        "backend.refusals",
        "backend.settings",
        "backend.rules",
        "backend.analysis",
    },
    {"backend.yaml_text"},
    {"backend.database", "backend.broker"},
    {"backend.checkpoints", "backend.workers"},
    {"backend.runs"},
    {"backend.metrics"},
    {"backend.gates"},
    {
        "backend.charts",
        "backend.tensorboard",
        "backend.reports",
        "backend.ladders",
        "backend.notify",
    },
    {"backend.models", "backend.retention"},
    {"backend.web", "backend.embedded", "backend.client"},
    {"backend.cli"},
]
FLOOR = {package: height for height, packages in enumerate(FLOORS) for package in packages}


def loaded_by(statement: str) -> set[str]:
    """Names of all modules a fresh interpreter holds after the statement."""
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def source_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules of Pitwall that a file imports, `from package import module` included."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] in ("backend", "worker", "migrations")}


def test_the_web_process_loads_neither_torch_nor_carla_nor_the_worker() -> None:
    loaded = loaded_by("import backend.web.app")
    assert not {name.split(".")[0] for name in loaded} & {"torch", "carla", "worker"}
    assert "celery.worker" not in loaded


def test_the_trainer_loads_neither_fastapi_nor_the_web() -> None:
    loaded = loaded_by("import worker.train")
    assert not {name.split(".")[0] for name in loaded} & {"fastapi", "uvicorn", "starlette"}
    assert not any(name.startswith("backend.web") for name in loaded)


def test_the_command_line_starts_without_torch_carla_or_celery() -> None:
    loaded = {name.split(".")[0] for name in loaded_by("import backend.cli")}
    assert not loaded & {"torch", "carla", "celery", "worker"}


def test_rules_and_analysis_are_pure() -> None:
    for statement in ("import backend.rules.behavioural", "import backend.analysis.quarters"):
        loaded = {name.split(".")[0] for name in loaded_by(statement)}
        assert not loaded & {"sqlalchemy", "pydantic", "fastapi", "torch", "carla", "plotly"}


def test_the_simulator_stands_apart() -> None:
    own = "worker.simulator"
    for path in source_files("worker/simulator"):
        assert all(name.startswith(own) or name == "worker" for name in imports_of(path)), path


@pytest.mark.parametrize("path", source_files("backend"), ids=lambda path: module_name(path))
def test_a_feature_imports_only_what_stands_below_it(path: Path) -> None:
    package = package_of(module_name(path))
    if package == "backend":
        return
    assert package in FLOOR, f"{package} has no floor: add it to FLOORS"
    for name in imports_of(path):
        target = package_of(name)
        if name.startswith("backend.") and target in FLOOR:
            assert FLOOR[target] <= FLOOR[package], f"{module_name(path)} imports {name}"


def test_only_the_command_line_reaches_into_the_worker_and_only_when_called() -> None:
    for path in source_files("backend"):
        assert not any(n.startswith("worker") for n in imports_of(path, top_level_only=True)), path
        if package_of(module_name(path)) != "backend.cli":
            assert not any(n.startswith("worker") for n in imports_of(path)), path


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {module_name(path): path for path in source_files("backend", "worker")}
    graph = networkx.DiGraph(
        (name, target)
        for name, path in modules.items()
        for target in imports_of(path, top_level_only=True)
        if target in modules and target != name
    )
    cycle = next(iter(networkx.simple_cycles(graph)), [])
    assert not cycle, " -> ".join(a for a, _ in pairwise([*cycle, cycle[0]])) + f" -> {cycle[0]}"
