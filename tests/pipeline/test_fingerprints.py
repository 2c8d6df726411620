"""What makes a stage run again, for all stages: held against an independent reader of imports, and both ways."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from anomend.params.params import Params
from anomend.pipeline.fingerprints import (
    DETECTOR,
    GUIDED_MODULES,
    GUIDED_SAMPLER,
    LEFT_OUT,
    SAMPLER,
    SAMPLER_MODULES,
    stage_closure,
    stage_fingerprints,
    stage_modules,
)
from anomend.pipeline.imports import Reader, read_module
from anomend.pipeline.libraries import library_versions_of
from anomend.pipeline.plugins import plugins
from anomend.pipeline.syntax import code_digest
from anomend.project.lock import locked_versions
from tests.conftest import ROOT
from tests.parameters import params_of, user_params
from tests.pipeline.code import LOCKS, change_a_constant, change_comments_and_docstrings, copy_code

READER = Reader(ROOT)
STAGES = stage_modules(ROOT / "dvc.yaml")
DIFFUSING = {"class_images", "losers", "encode", "train", "sample_base", "sample_tuned"}
FINGERPRINTED = [name for name in STAGES if name != "resolve"]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_code(tmp_path_factory.mktemp("code"))


@cache
def parameters(changes: str) -> Params:
    """The committed parameters with changes, as JSON."""
    user = user_params()
    for section, values in json.loads(changes).items():
        user[section] |= values
    return params_of(user)


def fingerprints(root: Path, **changes: Any) -> dict[str, str]:
    return stage_fingerprints(root, parameters(json.dumps(changes)))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert set(before) == set(after)
    return {name for name in before if before[name] != after[name]}


def test_every_script_is_a_command_of_the_pipeline_and_nothing_else_is_there() -> None:
    scripts = {f"stages.{path.stem}" for path in (ROOT / "stages").iterdir() if path.name != "__pycache__"}
    assert scripts == set(STAGES.values())
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "stages").glob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 60} == {}


def test_no_stage_loads_a_module_that_its_closure_lacks() -> None:
    """What Python itself has loaded, one script after the other: torch takes too long to import it for each."""
    closures = {STAGES[name]: stage_closure(READER, STAGES[name]).modules for name in FINGERPRINTED}
    order = sorted(closures, key=lambda script: len(closures[script]))
    program = (
        "import sys, importlib\nfor script in sys.argv[1:]:\n    importlib.import_module(script)\n"
        "    print(*[name for name in sys.modules if name.startswith('anomend.')])"
    )
    command = [sys.executable, "-c", program, *order]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    # What the parameters' package imports counts only where the stage imports it too.
    allowed = set(READER.closure(["anomend.params.resolved"]).modules)
    for script, loaded in zip(order, done.stdout.splitlines(), strict=True):
        allowed |= set(closures[script])
        assert set(loaded.split()) <= allowed, script


def test_closures_are_those_of_an_independent_reader_of_imports() -> None:
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(
        "anomend", include_external_packages=False, exclude_type_checking_imports=True, cache_dir=None
    )
    for start in ("anomend.training.loop", "anomend.measuring.features", "anomend.reporting.render"):
        imported = {name for name in {start, *graph.find_upstream_modules(start)} if not name.startswith(LEFT_OUT)}
        packages = {name for name in imported if (ROOT / name.replace(".", "/")).is_dir()}
        # grimp does not count that importing a.b runs a.
        parents = {name.rsplit(".", depth)[0] for name in imported for depth in range(1, name.count(".") + 1)}
        found = set(stage_closure(READER, start).modules)
        assert imported - packages <= found
        beyond = found - imported - parents
        assert all(any(_reached(graph, package, name) for package in parents) for name in beyond), beyond


def _reached(graph: Any, package: str, name: str) -> bool:
    return package in graph.modules and name in graph.find_upstream_modules(package)


def apart(stages: dict[Path, set[str]]) -> list[list[Path]]:
    """Files in groups, within which no stage runs two of them; first, those that no stage runs."""
    unused = [path for path, names in stages.items() if not names]
    groups: list[tuple[list[Path], set[str]]] = []
    for path in sorted(stages.keys() - set(unused), key=lambda path: (-len(stages[path]), path)):
        for together, taken in groups:
            if not taken & stages[path]:
                together.append(path)
                taken |= stages[path]
                break
        else:
            groups.append(([path], set(stages[path])))
    return [unused, *(together for together, _ in groups)]


def test_a_changed_constant_makes_exactly_the_stages_stale_that_run_its_module(code: Path) -> None:
    before, reader = fingerprints(code), Reader(code)
    selected = plugins(params_of(user_params()))
    closures = {name: stage_closure(reader, STAGES[name], selected.get(name, ())).modules for name in FINGERPRINTED}
    family = "anomend.families.sd3"
    closures[SAMPLER] = reader.closure([*SAMPLER_MODULES, family], LEFT_OUT).modules
    closures[GUIDED_SAMPLER] = reader.closure([*GUIDED_MODULES, family], LEFT_OUT).modules
    closures[DETECTOR] = reader.closure(sorted(selected["measure"]), LEFT_OUT).modules
    files = sorted([*(code / "anomend").rglob("*.py"), *(code / "stages").glob("*.py")])
    assert len(files) > 150
    stages = {path: {name for name, modules in closures.items() if path in modules.values()} for path in files}
    for together in apart(stages):
        texts = {path: path.read_bytes() for path in together}
        for path in together:
            change_a_constant(path)
        expected = set().union(*(stages[path] for path in together))
        assert changed(before, fingerprints(code)) == expected, together
        for path, text in texts.items():
            path.write_bytes(text)
    assert fingerprints(code) == before


def test_comments_docstrings_and_layout_make_no_stage_stale(tmp_path: Path) -> None:
    code = copy_code(tmp_path)
    before = fingerprints(code)
    for path in [*(code / "anomend").rglob("*.py"), *(code / "stages").glob("*.py")]:
        change_comments_and_docstrings(path)
    assert fingerprints(code) == before


@pytest.mark.parametrize(
    ("module", "stale", "not_stale"),
    [
        (
            "project/seeding",
            {"collect", "encode", "train", "sample_base", "sample_tuned", "compare", "survey", "label"},
            set(),
        ),
        ("families/latent_format", {"encode", "train", "sample_base", "sample_tuned", "class_images"}, {"verdict"}),
        (
            "diffusion/embeddings",
            {"encode", "train", "sample_base", "sample_tuned", "class_images", "losers"},
            {"curate"},
        ),
        ("project/metric_files", {"train", "measure", "compare", "verdict"}, set()),
        ("params/evaluation", set(), set(FINGERPRINTED)),
    ],
)
def test_shared_files_count_where_they_are_used(code: Path, module: str, stale: set[str], not_stale: set[str]) -> None:
    before, path = fingerprints(code), code / "anomend" / f"{module}.py"
    text = path.read_bytes()
    change_a_constant(path)
    found = changed(before, fingerprints(code))
    path.write_bytes(text)
    assert stale <= found and not found & not_stale


def test_a_library_counts_by_its_locked_version_where_it_computes(code: Path) -> None:
    before = fingerprints(code)
    for lock in LOCKS:
        text = (code / lock).read_text()
        if "\ndiffusers==" not in text:
            continue
        version = locked_versions(code)["diffusers"]
        (code / lock).write_text(text.replace(f"\ndiffusers=={version}", "\ndiffusers==0.1.0"))
        found = changed(before, fingerprints(code))
        (code / lock).write_text(text)
        assert {"encode", "train", "sample_base", "sample_tuned"} <= found and "verdict" not in found
        return
    raise AssertionError("no lock has diffusers")


def test_the_versions_are_public_ones_and_every_import_is_classified() -> None:
    locked = locked_versions(ROOT)
    assert "+" not in "".join(locked.values())
    for name in FINGERPRINTED:
        versions = library_versions_of(stage_closure(READER, STAGES[name]).libraries, locked)
        assert "not locked" not in {
            versions[each] for each in versions if each in ("torch", "numpy", "scipy", "diffusers")
        }
    with pytest.raises(ValueError, match="no_such_library is imported"):
        library_versions_of(["no_such_library"], locked)


def test_every_file_that_is_not_python_belongs_to_a_module_that_declares_it() -> None:
    files = [path for path in (ROOT / "anomend").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    modules = [path for path in files if path.suffix == ".py"]
    declared = {read for path in modules for read in read_module(path, ROOT).reads}
    assert set(files) - set(modules) == declared


def test_a_template_counts(code: Path) -> None:
    before = fingerprints(code)
    template = next((code / "anomend" / "reporting").rglob("report.md.jinja"))
    text = template.read_text()
    template.write_text(text + "\n")
    found = changed(before, fingerprints(code))
    template.write_text(text)
    assert found == {"report"}


def test_a_plug_in_counts_where_the_parameters_select_it(code: Path) -> None:
    module = next(path for path in (code / "anomend" / "detectors").rglob("*.py") if path.stem == "objects")
    text = module.read_bytes()
    for detector, expected in (("drawn_people", set()), (f"objects:/model@{'0' * 40}", {DETECTOR, "measure", "judge"})):
        before = fingerprints(code, measure={"detector": detector}, base={"name": "mini"})
        change_a_constant(module)
        found = changed(before, fingerprints(code, measure={"detector": detector}))
        module.write_bytes(text)
        assert found == expected, detector


@pytest.mark.parametrize("module", ["diffusion/sampling", "diffusion/rejection", "pictures/sample_store"])
def test_what_samples_the_base_counts_for_collect_where_it_is_a_source(code: Path, module: str) -> None:
    path = code / "anomend" / f"{module}.py"
    text = path.read_bytes()
    for collecting in ({"source": "drawn_people"}, {"source": "base"}, {"source": "folder", "mix": {"base": 2}}):
        before = fingerprints(code, collect=collecting)
        change_a_constant(path)
        found = changed(before, fingerprints(code, collect=collecting))
        path.write_bytes(text)
        assert ("collect" in found) == ("base" in str(collecting)) and "class_images" in found


def test_a_file_that_is_not_python_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def (:\n")
    with pytest.raises(ValueError, match=r"broken\.py is not valid Python .*line 1"):
        code_digest(path)


def test_the_digest_is_the_same_under_every_supported_python() -> None:
    """Where other versions are installed; each has other fields in its syntax trees."""
    program = (
        "import sys; sys.path.insert(0, '.')\nfrom pathlib import Path\n"
        "from anomend.pipeline.syntax import code_digest\n"
        "print(*[code_digest(path) for path in sorted(Path('anomend').rglob('*.py'))])"
    )
    found = []
    for version in ("3.11", "3.12", "3.13"):
        command = [shutil.which(f"python{version}") or "", "-c", program]
        done = command[0] and subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done and not done.returncode:
            found.append(done.stdout)
    if len(found) < 2:
        pytest.skip("only one version of Python is installed")
    assert len(set(found)) == 1
