"""The author's modules as text: what `tailrace plugin dev` puts into a template."""

import contextlib
import importlib
import json
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from tailrace._accident import told
from tailrace._modules import gathered, imported, taken_in
from tailrace._plugin import parts_of, the_plugin, world_of


@contextlib.contextmanager
def project(files):
    """A folder with these files, from which modules can be loaded; what was loaded is forgotten afterwards."""
    known, path = set(sys.modules), list(sys.path)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(textwrap.dedent(text), encoding="utf-8")
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        try:
            yield root
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - known:
                del sys.modules[name]


PLUGIN = """\
    from __future__ import annotations
    import json
    import os.path
    from email import charset
    try:
        import not_there_at_all
    except ImportError:
        not_there_at_all = None
    from shop.prices import PRICE
    from shop import names
    from tailrace import AttributesPlugin, Interest

    class Shop(AttributesPlugin):
        import string
        name = names.NAME
        version = str(PRICE)

        def attribute(self, attribute) -> Undefined:
            import wave
            attribute.set(__file__)
"""
FILES = {
    "plugin.py": PLUGIN,
    "shop/__init__.py": "",
    "shop/names.py": "from . import prices\nimport colorsys\nNAME = 'shop ' + str(prices.PRICE)\n",
    "shop/prices.py": "PRICE = 3\n",
    "unused.py": "raise RuntimeError('nobody imports it')\n",
    ".venv/lib/site-packages/package.py": "VALUE = 1\n",
}


class Modules(unittest.TestCase):
    def test_there_and_back(self):
        """What is gathered is loaded elsewhere as it was loaded here."""
        with project(FILES) as root:
            sys.path.append(str(root / ".venv/lib/site-packages"))
            importlib.import_module("plugin")
            importlib.import_module("package")
            modules = gathered(root, dict(sys.modules))
            names = [(module["name"], module["path"], module["package"]) for module in modules]
            expected = [
                ("plugin", "plugin.py", False),
                ("shop", "shop/__init__.py", True),
                ("shop.names", "shop/names.py", False),
                ("shop.prices", "shop/prices.py", False),
            ]
            self.assertEqual(names, expected)
            needed = imported(modules)
        self.assertNotIn("shop", sys.modules)
        with project({"not_there_at_all.py": ""}):
            for name in needed:
                importlib.import_module(name)
            before = list(sys.meta_path)
            plugin = the_plugin(taken_in(json.dumps(modules)))
            self.assertEqual((plugin.name, plugin.version), ("shop 3", "3"))
            self.assertIsNone(sys.modules["plugin"].not_there_at_all, "there are no files to look for it")
            self.assertEqual(sys.modules["plugin"].__file__, "/1/plugin.py")
            self.assertEqual(plugin.attribute.__code__.co_filename, "/1/plugin.py")
            self.assertEqual(sys.meta_path, before, "nothing can be imported later")

    def test_imports(self):
        """What must be there to load the modules: what they import at their top and what is there, not what they bring along, and
        not what functions import."""
        with project(FILES) as root:
            importlib.import_module("plugin")
            names = imported(gathered(root, dict(sys.modules)))
        for name in ("json", "os.path", "email.charset", "string", "colorsys", "tailrace"):
            self.assertIn(name, names)
        for name in ("wave", "not_there_at_all", "shop", "shop.prices", "plugin", "__future__.annotations"):
            self.assertNotIn(name, names)

    def test_errors_are_those_of_the_module(self):
        with project({"plugin.py": "\n1 / 0\n"}) as root:
            text = [{"name": "plugin", "path": "plugin.py", "package": False, "source": (root / "plugin.py").read_text()}]
        before = list(sys.meta_path)
        try:
            taken_in(json.dumps(text))
        except ZeroDivisionError as error:
            said = told(error)
        self.assertTrue(said.startswith("ZeroDivisionError: division by zero, at <module> (plugin.py:2), "), said)
        self.assertEqual(sys.meta_path, before)

    def test_worlds(self):
        """A world is taken apart as it was put together."""
        self.assertEqual(parts_of("attributes-plugin"), ("attributes", False))
        self.assertEqual(parts_of("stateful-sampler-plugin"), ("sampler", True))
        with project({"plugin.py": PLUGIN, **FILES}):
            plugin = the_plugin(importlib.import_module("plugin"))
            self.assertEqual(parts_of(world_of(plugin)), ("attributes", False))
