"""Builds components, which is what `tailrace plugin` runs:

    python -m tailrace.build PROJECT KIND OUTPUT           the component of the plugin
    python -m tailrace.build parts PROJECT KIND OUTPUT     what it consists of: its own modules, and what they need, as JSON
    python -m tailrace.build template PROJECT PARTS OUTPUT a component with everything that PARTS, such a file, needs, but without its
                                                           modules: it takes them in later, again and again (see `_modules`)

The plugin is loaded here once, natively, to see that it can be and which world of the contract it is for. If
componentize-py is not installed, standard error says only `missing: componentize-py`. The module is `plugin.py` in the project; what it imports may lie beside it, or in the virtual
environment that runs this.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import List, Optional

from . import _modules
from ._plugin import kind_of, the_plugin, world_of

_APP = """\
import plugin
from tailrace._guest import component
from tailrace._plugin import the_plugin

globals().update(component(the_plugin(plugin)))
"""
_TEMPLATE = """\
import importlib

for name in {imports!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass

from tailrace._guest import template

globals().update(template({world!r}))
"""


def main() -> None:
    """Runs with the arguments of the process."""
    arguments = sys.argv[1:]
    if len(arguments) == 3:
        project, kind, output = arguments
        _build(Path(project).resolve(), kind, Path(output))
    elif len(arguments) == 4 and arguments[0] == "parts":
        _parts(Path(arguments[1]).resolve(), arguments[2], Path(arguments[3]))
    elif len(arguments) == 4 and arguments[0] == "template":
        _template(Path(arguments[1]).resolve(), Path(arguments[2]), Path(arguments[3]))
    else:
        sys.exit("usage: python -m tailrace.build PROJECT KIND OUTPUT")


def _build(project: Path, kind: str, output: Path) -> None:
    tool = _found_tool()
    world = _load(project, kind)
    _componentize(tool, _APP, project, world, output)


def _parts(project: Path, kind: str, output: Path) -> None:
    tool = _found_tool()
    world = _load(project, kind)
    modules = _modules.gathered(project, sys.modules)
    template = {"world": world, "imports": _modules.imported(modules)}
    # What a template depends on: when nothing of it has changed, it is the same.
    made_with = [*(_stamp(path) for path in (Path(tool), *_packages(), *_native(project))), *_sdk()]
    digest = hashlib.sha256(json.dumps([template, made_with]).encode("utf-8")).hexdigest()
    parts = {**template, "template": digest, "modules": json.dumps(modules)}
    output.write_text(json.dumps(parts), encoding="utf-8")


def _template(project: Path, parts: Path, output: Path) -> None:
    wanted = json.loads(parts.read_text(encoding="utf-8"))
    app = _TEMPLATE.format(imports=wanted["imports"], world=wanted["world"])
    _componentize(_found_tool(), app, project, wanted["world"], output)


def _componentize(tool: str, app: str, project: Path, world: str, output: Path) -> None:
    sdk = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tailrace_entry.py").write_text(app, encoding="utf-8")
        partial = Path(folder, "component.wasm")
        # The component sees them by their numbers: /0, /1 ...
        paths = [folder, str(project), str(sdk), *_site_packages()]
        ran = subprocess.run(
            [
                tool,
                "--quiet",
                *("--wit-path", str(sdk.parent.parent / "wit")),
                *("--world", world),
                "componentize",
                "--stub-wasi",
                *(part for path in paths for part in ("--python-path", path)),
                *("--output", str(partial)),
                "tailrace_entry",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            sys.exit((ran.stdout + ran.stderr).strip() or f"componentize-py ended with {ran.returncode}")
        # Next to the output first, so that it appears whole or not at all.
        beside = output.with_name(output.name + ".partial")
        shutil.copyfile(partial, beside)
        os.replace(beside, output)


def _found_tool() -> str:
    tool = _tool()
    if tool is None:
        sys.exit("missing: componentize-py")
    return tool


def _stamp(path: Path) -> List[object]:
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


def _packages() -> List[Path]:
    """The files of the packages of the virtual environment that are loaded."""
    folders = _site_packages()
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return sorted({Path(file) for file in files if file and file.startswith(tuple(folders))} if folders else set())


def _native(project: Path) -> List[Path]:
    """What componentize-py takes from the project besides modules."""
    found = []
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(folder, name) for name in sorted(files) if name.endswith(".so") or name == "componentize-py.toml"]
    return found


def _sdk() -> List[str]:
    """What is in the SDK."""
    here = Path(__file__).resolve().parent
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(here.glob("*.py"))]


def _tool() -> Optional[str]:
    """Beside this Python, or in the PATH."""
    beside = Path(sys.executable).with_name("componentize-py")
    found = str(beside) if beside.exists() else shutil.which("componentize-py")
    return found


def _load(project: Path, kind: str) -> str:
    """The world of the project's plugin."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(project))
    try:
        plugin = the_plugin(importlib.import_module("plugin"))
        found, world = kind_of(plugin), world_of(plugin)
    except ModuleNotFoundError as error:
        if error.name == "plugin":
            sys.exit(f"{project / 'plugin.py'}: there is no such file")
        sys.exit(f"{error}: install it into the environment that builds the plugin ({sys.prefix})")
    except TypeError as error:
        sys.exit(str(error))
    except Exception as error:
        sys.exit(_shown(error))
    if found != kind:
        sys.exit(
            f"plugin.py has a plugin of kind {found}, but tailrace-plugin.yaml says {kind}: change `kind` there, or the class"
        )
    return world


def _shown(error: Exception) -> str:
    """The error with the author's part of its traceback."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in (__file__, importlib.__file__) and not frame.filename.startswith("<frozen ")
    ]
    return "".join([*traceback.format_list(frames), *traceback.format_exception_only(type(error), error)]).strip()


def _site_packages() -> list[str]:
    """Packages of a virtual environment; those of the system are not for components."""
    if sys.prefix == sys.base_prefix:
        return []
    return [path for path in sys.path if path.startswith(sys.prefix) and path.endswith("site-packages")]


if __name__ == "__main__":
    main()
