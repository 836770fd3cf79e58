#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/measure.py replaces its own section of a document and nothing else, and writes nothing when a program fails;
measure_neon.py finds the loops of a listing."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import measure  # noqa: E402
import measure_neon  # noqa: E402


class WithSection(unittest.TestCase):
    def test_starts_a_document(self):
        text = measure.with_section("", "executor", "first\n")
        self.assertTrue(text.startswith("# Measurements\n"))
        self.assertIn("first\n", text)

    def test_replaces_its_own_section_only(self):
        text = measure.with_section("# Measurements\n\nBefore.\n", "executor", "first\n")
        text = measure.with_section(text, "low-widths", "other\n") + "\nAfter.\n"
        text = measure.with_section(text, "executor", "second\n")
        self.assertNotIn("first", text)
        self.assertEqual(text.count("second\n"), 1)
        self.assertEqual(text.count("other\n"), 1)
        self.assertTrue(text.startswith("# Measurements\n\nBefore.\n"))
        self.assertTrue(text.endswith("\nAfter.\n"))
        self.assertLess(text.index("second"), text.index("other"))


class MostPromising(unittest.TestCase):
    def test_are_the_cuts_of_the_smallest_legal_payloads(self):
        def row(cut, share, *cells):
            return {"cut": cut, "macs_share": share, "cells": [
                {"rule": rule, "score": {"selection": {"inputs": n, "agree": a}, "confirmation": {"inputs": n, "agree": b}}, "codecs": [{"payload_bytes": p} for p in payloads]}
                for rule, n, a, b, payloads in cells]}
        calibration = {"inputs": 200, "cuts": [
            row("late", 0.81, ("clip", 100, 100, 100, [1])),
            row("large", 0.5, ("clip", 100, 100, 100, [900, 700])),
            row("unsure", 0.5, ("clip", 100, 100, 97, [10])),
            row("given up", 0.5, ("clip", 25, 25, 25, [10])),
            row("scores", 0.8, ("upper-end", 100, 100, 100, [10])),
            row("small", 0.8, ("clip", 100, 98, 98, [600, 500]), ("step", 100, 90, 98, [20])),
        ]}
        self.assertEqual(measure.most_promising(calibration), ["large", "small"])
        self.assertEqual(measure.most_promising(calibration, 1, 0), ["small"])

    def test_are_also_early_cuts_near_the_smallest_before_them(self):
        def row(cut, share, payload):
            score = {half: {"inputs": 100, "agree": 100} for half in ("selection", "confirmation")}
            return {"cut": cut, "macs_share": share, "cells": [{"rule": "clip", "score": score, "codecs": [{"payload_bytes": payload}]}]}
        calibration = {"inputs": 200, "cuts": [
            row("input", 0, 100), row("early", 0.1, 120), row("large", 0.2, 130), row("small", 0.3, 40), row("near", 0.4, 45), row("late", 0.5, 60)]}
        self.assertEqual(measure.most_promising(calibration, 1), ["early", "small", "near"])


class InnerLoops(unittest.TestCase):
    def test_are_those_that_hold_the_marker_and_no_other_loop(self):
        listing = """.L1: scvtf v0 .L2: fmul v1 scvtf v2 scvtf v3 b.ne .L2 .L3: ldr x1 cbnz x1, .L3 .L4: scvtf v4 bne .L4
                     b.lo .L1 b .L5 .L5: ret"""
        lines = re.findall(r"\.L\d:|cbnz x1, \.L\d|[a-z]\S* \S+|ret", listing)
        self.assertEqual(measure_neon.inner_loops(lines, "scvtf"),
                         [(["fmul v1", "scvtf v2", "scvtf v3", "b.ne .L2"], 2), (["scvtf v4", "bne .L4"], 1)])


class Failure(unittest.TestCase):
    def test_leaves_the_document_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            document = pathlib.Path(folder) / "kept.md"
            document.write_text("kept\n")
            for section, program in (("executor", "narrows_bench_exec"), ("codecs", "narrows_bench_codecs")):
                ran = subprocess.run([sys.executable, "-B", ROOT / "tools/measure.py", section, "--build", folder, "--document", document],
                                     capture_output=True, text=True)
                self.assertEqual(ran.returncode, 1)
                self.assertIn(program, ran.stderr)
                self.assertEqual(ran.stderr.count("\n"), 1)
                self.assertEqual(document.read_text(), "kept\n")
            self.assertEqual([p.name for p in pathlib.Path(folder).iterdir()], ["kept.md"])


if __name__ == "__main__":
    unittest.main()
