"""Builds a component: `python -m tailrace.build PROJECT KIND OUTPUT`, which is what `tailrace plugin build` runs.

The plugin is loaded here once, natively, to see that it can be and which world of the contract it is for. If
componentize-py is not installed, standard error says only `missing: componentize-py`. The module is `plugin.py` in the project; what it imports may lie beside it, or in the virtual
environment that runs this.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from ._plugin import kind_of, the_plugin, world_of

_APP = """\
import plugin
from tailrace._guest import component
from tailrace._plugin import the_plugin

globals().update(component(the_plugin(plugin)))
"""


def main() -> None:
    """Runs with the arguments of the process."""
    if len(sys.argv) != 4:
        sys.exit("usage: python -m tailrace.build PROJECT KIND OUTPUT")
    project, kind, output = Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3])
    tool = _tool()
    if tool is None:
        sys.exit("missing: componentize-py")
    world = _load(project, kind)
    sdk = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tailrace_entry.py").write_text(_APP, encoding="utf-8")
        partial = Path(folder, "component.wasm")
        paths = [folder, str(project), str(sdk), *_site_packages()]
        ran = subprocess.run(
            [
                *tool,
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


def _tool() -> list[str] | None:
    """Beside this Python, or in the PATH."""
    beside = Path(sys.executable).with_name("componentize-py")
    found = str(beside) if beside.exists() else shutil.which("componentize-py")
    return [found] if found else None


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
