"""The author's own modules as text: what `tailrace plugin dev` puts into a template of a component, which has everything else.

`gathered` runs beside the sources, `taken_in` in the component.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set

PROJECT = "/1/"
"""Where a component sees the folder of the project: see `tailrace.build`."""
PLUGIN = "plugin"
"""The module that defines the plugin."""


def gathered(project: Path, modules: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Those of the loaded `modules` whose sources lie in `project`; not the packages of a virtual environment there."""
    found = []
    for name, module in sorted(modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or not file.endswith(".py"):
            continue
        path = Path(file).resolve()
        if not path.is_relative_to(project):
            continue
        within = path.relative_to(project)
        if any(part.startswith(".") or part == "site-packages" for part in within.parts):
            continue
        found.append(
            {
                "name": name,
                "path": str(within),
                "package": hasattr(module, "__path__"),
                "source": path.read_text(encoding="utf-8"),
            }
        )
    return found


def imported(modules: List[Dict[str, Any]]) -> List[str]:
    """What these modules import from elsewhere when they are loaded: the only imports that a component can do are those of the time
    when it is made, so imports inside of functions are not among them."""
    import ast

    own = {module["name"] for module in modules}
    names: Set[str] = set()
    for module in modules:
        for node in _at_the_top(ast.parse(module["source"])):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
                # What is taken from a package may be one of its modules.
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return sorted(name for name in names if name not in own and name in sys.modules)


def _at_the_top(node: Any) -> Iterator[Any]:
    import ast

    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _at_the_top(child)


class _Texts(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules in what `gathered` made."""

    def __init__(self, modules: Iterable[Dict[str, Any]]) -> None:
        self._modules = {module["name"]: module for module in modules}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        module = self._modules.get(fullname)
        if module is None:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=module["package"])

    def create_module(self, spec: Any) -> Optional[Any]:
        return None

    def exec_module(self, module: Any) -> None:
        text = self._modules[module.__name__]
        module.__file__ = PROJECT + text["path"]
        exec(compile(text["source"], module.__file__, "exec", dont_inherit=True), module.__dict__)


def taken_in(modules: str) -> Any:
    """Loads modules from the JSON of what `gathered` found; the one that defines the plugin."""
    texts, before = _Texts(json.loads(modules)), list(sys.meta_path)
    # A component has no files; to look for some would end it, and what is not there is to be an ImportError.
    sys.meta_path[:] = [texts, *(finder for finder in before if finder is not importlib.machinery.PathFinder)]
    try:
        return importlib.import_module(PLUGIN)
    finally:
        # Later there is nothing to import, as in every component.
        sys.meta_path[:] = before
