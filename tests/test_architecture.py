"""The plan of the house: who may import whom, which names are public, what the files are called."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import lightning_gan

ROOT = Path(lightning_gan.__file__).parent
PAGE = ROOT.parent / "docs" / "architecture.md"


def table(heading):
    """The rows of the table below a heading of the page, their cells without the header."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def words(cell):
    return cell.strip("`").split("` `")


LEVELS = {name: int(level) for level, names, _ in table("Rooms") for name in words(names)}
COMPONENTS = {name for name, level in LEVELS.items() if level == 2}
# Files of the heart, each with its line: lower lines are above in the house.
LINES = {
    f"lightning_gan.{room.strip('`')}.{name}": number
    for number, (room, names) in enumerate(table("The heart, file by file"))
    for name in words(names)
}
# Rooms in plain torch: everything from which a loop of one's own is made.
PLAIN = {"errors", "types", "step", "files", "components", "layers", "game"} | COMPONENTS
LIGHTNING = {"pytorch_lightning", "lightning", "lightning_fabric", "lightning_utilities"}


def files():
    return sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def room(name):
    return name.split(".")[1]


def imports(path):
    """Every module of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                if node.module == "lightning_gan" and alias.name in lightning_gan._HOMES:
                    found.add(f"lightning_gan.{lightning_gan._HOMES[alias.name]}")
                    continue
                inner = ROOT.joinpath(*node.module.split(".")[1:], f"{alias.name}.py")
                package = ROOT.joinpath(*node.module.split(".")[1:], alias.name)
                whole = inner.is_file() or package.is_dir()
                found.add(f"{node.module}.{alias.name}" if whole else node.module)
    return {name for name in found if name.startswith("lightning_gan.")}


def module_name(path):
    return "lightning_gan." + ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", files(), ids=module_name)
def test_imports_run_down_the_levels(path):
    name = module_name(path)
    ours = LEVELS[room(name)]
    for imported in imports(path):
        theirs = LEVELS[room(imported)]
        assert theirs <= ours, f"{name} imports {imported}, which is above it"
        concrete = theirs == 2 and not imported.endswith(".base")
        if ours == 2:
            same_room = room(imported) == room(name)
            assert not concrete or same_room, f"{name} knows the concrete component {imported}"
        if ours in (3, 4):
            assert not concrete, f"{name} knows the concrete component {imported}"
            reads = imported.endswith("components.registry")
            assert not reads, f"{name} reads the registry"
        if room(name) in ("data", "metrics"):
            assert theirs in (0, 4), f"{name} may import levels 0 and 4 only, not {imported}"
        if room(name) == "training":
            assert room(imported) not in ("data", "metrics"), f"{name} imports {imported}"


def test_the_heart_is_ordered_file_by_file():
    heart = {room.strip("`") for room, _ in table("The heart, file by file")}
    there = {module_name(path): path for path in files() if room(module_name(path)) in heart}
    assert LINES.keys() == there.keys()
    for name, path in there.items():
        for imported in imports(path) & LINES.keys():
            assert LINES[imported] < LINES[name], f"{name} imports {imported}"


def test_the_command_is_ordered_room_by_room():
    rows = enumerate(table("The command, room by room"))
    lines = {name: number for number, (names, _) in rows for name in words(names)}
    inside = {path.name if path.is_dir() else path.stem for path in (ROOT / "cli").glob("[!_]*")}
    assert lines.keys() == inside
    for path in files():
        name = module_name(path)
        if room(name) != "cli":
            continue
        ours = name.split(".")[2]
        for imported in imports(path):
            if room(imported) == "cli":
                theirs = imported.split(".")[2]
                assert theirs == ours or lines[theirs] < lines[ours], f"{name} imports {imported}"
                assert theirs != "commands" or ours == "explain", f"{name} imports {imported}"


def test_few_files_lie_loose():
    assert len(list(ROOT.glob("*.py"))) <= 8


def test_no_file_imports_itself_around_a_corner():
    graph = {module_name(path): imports(path) for path in files()}
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, " -> ".join([*open_[open_.index(name) :], name])
        if name in done or name not in graph:
            return
        open_.append(name)
        for imported in sorted(graph[name]):
            visit(imported)
        open_.pop()
        done.add(name)

    for name in graph:
        visit(name)


def external(path):
    """The packages that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found


def test_the_game_knows_no_lightning():
    for path in files():
        if room(module_name(path)) in PLAIN:
            assert not external(path) & LIGHTNING, path


# Overridden, or of a class of our own.
ALLOWED = {
    ("game.adversary", "super()._apply"),
    ("training.module", "super()._apply_batch_transfer_handler"),
    ("step", "other._real_output"),
    ("step", "other._fake_output"),
}
LIGHTNINGS = {
    "_apply_batch_transfer_handler",
    "_batches_that_stepped",
    "_check_duplicates_and_update_name",
    "_current_fx_name",
    "_every_n_train_steps",
    "_on_after_step",
    "_on_before_step",
}


def private_names(path):
    """Every attribute with an underscore of something that is not the object itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr[0] == "_" and node.attr[:2] != "__":
            if node.attr in ("_replace", "_asdict", "_fields"):  # public, of a NamedTuple
                continue
            if getattr(node.value, "id", None) not in ("self", "cls"):
                yield ast.unparse(node)


def test_private_names_of_others_stay_at_the_seams():
    for path in files():
        name = module_name(path).removeprefix("lightning_gan.")
        if "seams" not in name:
            found = {(name, used) for used in private_names(path)}
            assert found <= ALLOWED, path


def test_few_of_them_are_lightnings():
    assert len(LIGHTNINGS) <= 8
    for path in (ROOT / "training" / "seams").glob("*.py"):
        assert {used.rpartition(".")[2] for used in private_names(path)} <= LIGHTNINGS, path


def test_nobody_hides_a_gan_behind_any():
    for path in files():
        if room(module_name(path)) in ("game", "training"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.arg) and node.arg in ("gan", "game", "side"):
                    assert ast.unparse(node.annotation) != "Any", (path, node.lineno)


def test_a_player_is_looked_up_by_no_string():
    """No getattr with a player's name, no f-string that makes one into an attribute."""
    for path in files():
        if room(module_name(path)) in PLAIN | {"training"}:
            text = path.read_text()
            assert 'getattr(self, f"' not in text, path
            assert 'getattr(gan, f"' not in text, path
            assert "getattr(gan, player" not in text, path
            assert "getattr(regularizer, player" not in text, path


READERS = ("hints", "signature_seams")  # of types and signatures


def test_nothing_but_the_command_reads_configuration():
    for path in files():
        if LEVELS[room(module_name(path))] < 6:
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                roots = {name.split(".")[0] for name in names}
                assert not roots & {"hydra", "omegaconf"}, path
                assert "jsonargparse" not in roots or path.stem in ("hints", "signature_seams"), (
                    path
                )


def texts(path):
    """The texts of a file that are no documentation."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documentation:
            yield str(node.value)


KEYS = "model|data|samples|health|best|evaluation|checkpoint|summary"
SETTING = re.compile(rf"(?<!\.)\b({KEYS})\.(?!png|ckpt|json)[a-z_]{{3,}}|\b(experiment|data)=")


def test_nothing_but_the_command_speaks_its_grammar():
    """Where it has to be said, the message says that it is the command's."""
    for path in files():
        if room(module_name(path)) != "cli":
            for text in texts(path):
                found = SETTING.search(text)
                assert found is None or "in the command " in text, (path, text)


def test_public_names_are_sorted_and_importable():
    names = lightning_gan.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    for name in names:
        assert getattr(lightning_gan, name) is not None
    assert set(lightning_gan._HOMES) | {"__version__"} == set(names)
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        lightning_gan.Nonsense  # noqa: B018


def test_each_registered_name_is_the_stem_of_its_file():
    from lightning_gan.components import registry

    for kind in registry.KINDS.values():
        for entry in registry.entries(kind.name):
            if entry.ours:
                module = entry.value.partition(":")[0]
                assert module == f"lightning_gan.{kind.folder}.{entry.name}"


def test_no_component_is_forgotten():
    from lightning_gan.components import registry

    for kind in registry.KINDS.values():
        stems = {path.stem for path in (ROOT / kind.folder).glob("*.py")} - {"__init__", "base"}
        assert stems == {entry.name for entry in registry.entries(kind.name) if entry.ours}


def test_every_package_ships():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"]) - {"lightning_gan.configs"}
    there = {"lightning_gan"} | {
        "lightning_gan." + ".".join(path.parent.relative_to(ROOT).parts)
        for path in ROOT.rglob("*/__init__.py")
    }
    assert listed == there


# A command is a file with run(request) and usage().
SHARED = {"run", "usage"}


def test_no_public_name_has_two_meanings():
    """Functions and classes of two files, contracts and components aside."""
    seen = {}
    for path in files():
        if path.stem == "base":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
                other = seen.setdefault(node.name, path)
                assert other == path or node.name in SHARED, f"{node.name}: {other} and {path}"
