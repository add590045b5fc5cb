import ast
from pathlib import Path

import pytest

KERNELS = Path(__file__).resolve().parents[1] / "kernels"
FILES = sorted(path for path in KERNELS.glob("*.py") if path.stem != "__init__")
COMPILED = [path for path in FILES if path.stem not in {"dtypes", "jit"}]


def tree(path: Path) -> ast.Module:
    """A kernel file as syntax."""
    return ast.parse(path.read_text())


def functions(path: Path) -> list[ast.FunctionDef]:
    """Every function of a file, inner ones too."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def imports(path: Path) -> list[tuple[str, str]]:
    """(module, name) of everything a file imports; an empty name for the module itself."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return found


def constants(path: Path) -> dict[str, ast.expr]:
    """Module-level names and what is assigned to them."""
    found: dict[str, ast.expr] = {}
    for node in tree(path).body:
        if isinstance(node, ast.Assign):
            found.update({t.id: node.value for t in node.targets if isinstance(t, ast.Name)})
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_every_function_is_compiled_through_the_one_decorator(path: Path) -> None:
    """No function of a kernel file is left to the interpreter or has flags of its own."""
    assert functions(path)
    for function in functions(path):
        decorators = [ast.unparse(d).partition("(")[0] for d in function.decorator_list]
        assert decorators == ["kernel"], function.name
        (call,) = function.decorator_list
        assert isinstance(call, ast.Call)
        assert call.args, f"{function.name} has a signature, so nothing compiles later"
        assert not call.keywords, function.name


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_kernel_files_rest_on_kernel_files_alone(path: Path) -> None:
    """What they call is compiled as they are, and an edit of any makes the cache of all anew."""
    ours = [(module, name) for module, name in imports(path) if module.startswith("kernels")]
    assert {name for module, name in ours if module == "kernels.jit"} == {"kernel"}
    assert {module.partition(".")[0] for module, _ in imports(path)} <= {
        "kernels",
        "math",
        "numba",
        "typing",
    }


def test_the_shared_words_hold_no_functions() -> None:
    """What every kernel file shares is constants and record layouts alone."""
    assert functions(KERNELS / "dtypes.py") == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_global_can_change(path: Path) -> None:
    """Numba freezes globals in its cache, so none may be a container that changes."""
    changing = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    assert [name for name, value in constants(path).items() if isinstance(value, changing)] == []
    assert [node for node in ast.walk(tree(path)) if isinstance(node, ast.Global)] == []


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_kernels_use_no_vectorised_functions(path: Path) -> None:
    """Numpy's vectorised functions differ from scalar ones in the last bit: verdicts need both."""
    names = {node.value.id for node in ast.walk(tree(path)) if _is_attribute_of_name(node)}  # type: ignore[attr-defined]
    assert not names & {"np", "numpy"}


def _is_attribute_of_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


def test_the_one_decorator_states_its_flags() -> None:
    """Fast maths is off, divisions follow IEEE, and nobody else may say otherwise."""
    (call,) = [
        node
        for node in ast.walk(tree(KERNELS / "jit.py"))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "njit"
    ]
    flags = {k.arg: ast.unparse(k.value) for k in call.keywords}
    assert flags == {
        "cache": "cached",
        "fastmath": "False",
        "nogil": "True",
        "error_model": "'numpy'",
    }
