# SPDX-License-Identifier: BSD-3-Clause
"""check_layers.py finds each kind of breach in a small tree and none in a clean one."""
import importlib.util
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_layers.py"
spec = importlib.util.spec_from_file_location("check_layers", SCRIPT)
check_layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layers)

HEAD = "// SPDX-License-Identifier: BSD-3-Clause\n#pragma once\n"


class CheckLayers(unittest.TestCase):
    def breaches(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_layers.check(root)[0]

    def one(self, files, expected):
        found = self.breaches(files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_a_clean_tree_has_no_breach(self):
        self.assertEqual(self.breaches({
            "include/narrows/narrows.hpp": HEAD + "#include <narrows/graph/a.hpp>\n",
            "include/narrows/graph/a.hpp": HEAD + "#include <vector>\n#include <narrows/pack/b.hpp>\n",
            "include/narrows/pack/b.hpp": HEAD + "#include <xsimd/xsimd.hpp>\n",
            "include/narrows/exec/reference/c.hpp": HEAD + "#include <xtensor/xarray.hpp>\n#include <narrows/graph/a.hpp>\n",
        }), [])

    def test_a_room_must_not_include_a_later_one(self):
        self.one({"include/narrows/pack/a.hpp": HEAD + "#include <narrows/net/b.hpp>\n"}, "must not include room 'net'")

    def test_only_the_reference_executor_may_include_its_own_parts(self):
        self.one({"include/narrows/profile/a.hpp": HEAD + "#include <narrows/exec/reference/e.hpp>\n"}, "needs more than")

    def test_a_third_party_header_stays_in_its_room(self):
        self.one({"include/narrows/schedule/a.hpp": HEAD + "#include <nlohmann/json.hpp>\n"}, "does not belong")
        self.one({"include/narrows/pack/a.hpp": HEAD + "#include <xtensor/xarray.hpp>\n"}, "does not belong")

    def test_the_umbrella_brings_in_every_public_header(self):
        self.one({"include/narrows/narrows.hpp": HEAD, "include/narrows/pack/a.hpp": HEAD}, "<narrows/pack/a.hpp>")

    def test_the_umbrella_stops_at_schedule(self):
        self.one({"include/narrows/narrows.hpp": HEAD + "#include <narrows/net/a.hpp>\n"}, "must not include room 'net'")

    def test_each_source_says_its_licence(self):
        self.one({"tools/a.cpp": "int main() {}\n"}, "first line")
        self.one({"tools/a.py": "pass\n"}, "second line")

    def test_machine_paths_unfinished_places_and_hidden_warnings_are_named(self):
        self.one({"docs/a.md": "see /" + "work/x\n"}, "path of one machine")
        self.one({"docs/a.md": "TO" + "DO\n"}, "unfinished")
        self.one({"tests/CMakeLists.txt": "target_compile_options(a PRIVATE -w)\n"}, "-w hides")
        self.one({"include/narrows/core/a.hpp": HEAD + '#pragma GCC diagnostic ignored "-Wshadow"\n'}, "compiler bug")


if __name__ == "__main__":
    unittest.main()
