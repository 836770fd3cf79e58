#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The tables of codec_tables.py hold what the benchmark printed, and the figures of measure_plots.py what the tables hold."""
import json
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import codec_tables  # noqa: E402
import measure_plots  # noqa: E402
import svg_plot  # noqa: E402

SIZES = """network,tensor,values,zeros,order,bits,entropy,contender,bits_per_value
net,a,100,0.5,nchw,4,2.0,dense,4.0
net,a,100,0.5,nchw,4,2.0,zstd_bytes,2.0
net,b,100,0.7,nchw,4,1.0,dense,4.0
net,b,100,0.7,nchw,4,1.0,zstd_bytes,1.5
net,c,100,0.1,nchw,4,4.0,dense,4.0
net,c,100,0.1,nchw,4,4.0,zstd_bytes,4.4
net,a,100,0.5,nhwc,4,2.0,dense,4.0
net,a,100,0.5,nhwc,4,2.0,zstd_bytes,2.0
net,b,100,0.7,nhwc,4,1.0,dense,4.0
net,b,100,0.7,nhwc,4,1.0,zstd_bytes,1.5
net,c,100,0.1,nhwc,4,4.0,dense,4.0
net,c,100,0.1,nhwc,4,4.0,zstd_bytes,4.4
synthetic,relu,100,0.55,nchw,4,2.0,dense,4.0
synthetic,relu,100,0.55,nchw,4,2.0,zstd_bytes,2.2
synthetic,relu,100,0.55,nhwc,4,2.0,dense,4.0
synthetic,relu,100,0.55,nhwc,4,2.0,zstd_bytes,2.2
"""


def speeds(times):
    """What Google Benchmark prints for {name: [ns per value]}, and one row of a kind that must be left out."""
    rows = [{"run_name": name, "run_type": "iteration", "items_per_second": 1e9 / t} for name, all_of in times.items() for t in all_of]
    return json.dumps({"benchmarks": rows + [{"run_name": "encode_u4/dense/L2", "run_type": "aggregate", "items_per_second": 1}]})


SPEEDS = speeds({"encode_u4/zstd_bytes/L2": [3, 3, 3], "encode_u4/alone/L2": [0.05, 0.05, 0.05], "encode_u4/dense/L2": [0.06, 0.06, 0.09],
                 "decode_u4/zstd_bytes/L2": [1], "decode_u4/alone/L2": [0.1], "decode_u4/dense/L2": [0.1]})


def cut_speeds(cuts):
    """What it prints for {network and tensor: (zeros, {row: ns per value})}, beside SPEEDS; aggregates have a counter as well, but not that share."""
    rows = []
    for cut, (zeros, times) in cuts.items():
        where = "L2:" + cut.replace(" ", ".").replace("/", ":")
        for name, t in times.items():
            row = {"run_name": f"{name}/{where}", "items_per_second": 1e9 / t, "label": cut}
            rows += [dict(row, run_type="iteration", zeros=zeros), dict(row, run_type="aggregate", zeros=0)]
    return json.dumps({"benchmarks": json.loads(SPEEDS)["benchmarks"] + rows})


class CodecTables(unittest.TestCase):
    def setUp(self):
        self.tables = measure_plots.tables_of(codec_tables.section(SIZES, SPEEDS, "a machine"))

    def test_sizes_are_medians_over_the_tensors(self):
        found = self.tables["Codecs", "Size over entropy, NCHW: median / worst tensor"]
        self.assertEqual(found, {"dense": {"4": 2.0}, "zstd_bytes": {"4": 1.1}})
        self.assertIn("| dense | 2.00 / 4.00 |", codec_tables.section(SIZES, SPEEDS, ""))
        self.assertEqual(self.tables["Codecs", "Bits per value, NCHW: median tensor"]["entropy"], {"4": 2.0})
        self.assertEqual(self.tables["Codecs", "Size over entropy, synthetic tensor, NCHW"]["dense"], {"4": 2.0})

    def test_speeds_stand_beside_quantising_alone_and_the_peer(self):
        text = codec_tables.section(SIZES, SPEEDS, "a machine")
        self.assertIn("| alone | 50.0 |\n| dense | 60.0 ± 15.0 (1.2; 50) |\n| zstd_bytes | 3000.0 (60.0; 1.0) |\n", text)
        self.assertIn("a machine", text)

    def test_cuts_by_themselves_stand_beside_quantising_alone_on_the_same_cut(self):
        def times(alone, dense):
            return {"encode_u4/alone": alone, "encode_u4/dense": dense, "decode_u4/alone": 1, "decode_u4/dense": 5 - dense}
        speeds = cut_speeds({"net a": (0.5, times(1, 2)), "net b/c": (0.25, times(2, 3)), "other d": (0.9, times(1, 1.25))})
        text = codec_tables.section(SIZES, speeds, "a machine")
        self.assertIn("the 3 ReLU cuts of net and other", text)
        self.assertIn("| dense, 4 bits | 1.50 | 2.00 | net a, 50 % zeros | 3.00 | 3.75 | other d, 90 % zeros |\n", text)
        without = codec_tables.section(SIZES, SPEEDS, "a machine")
        self.assertNotIn("Every cut", without)
        self.assertTrue(text.startswith(without))

    def test_without_models_the_section_says_so(self):
        only = "\n".join(line for line in SIZES.splitlines() if not line.startswith("net,")) + "\n"
        self.assertIn("No models were found", codec_tables.section(only, SPEEDS, ""))


class Figures(unittest.TestCase):
    def test_are_well_formed_and_name_every_codec(self):
        figure = measure_plots.codec_figure(measure_plots.tables_of(codec_tables.section(SIZES, SPEEDS, "")))
        texts = [e.text for e in xml.fromstring(figure).iter("{http://www.w3.org/2000/svg}text")]
        for expected in ("Encode, 4 bits", "Decode, 4 bits", "dense", "zstd_bytes"):
            self.assertIn(expected, texts)

    def test_are_not_drawn_from_a_document_without_tables(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(measure_plots.draw("# Kernels\n", pathlib.Path(folder)), [])
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])

    def test_of_the_documents_are_those_of_their_tables(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in measure_plots.draw((ROOT / "docs/kernels.md").read_text(), pathlib.Path(folder)):
                self.assertEqual((pathlib.Path(folder) / name).read_text(), (ROOT / "docs" / name).read_text(), f"{name}: run tools/measure.py plots")

    def test_labels_cover_neither_points_nor_each_other(self):
        points = [(100 + 9 * i, 100 + 7 * (i % 3), f"label {i}") for i in range(6)]
        frame = (0, 0, 400, 300)
        boxes = [(x, y - 11, x + len(text) * svg_plot.WIDTH_OF_A_LETTER, y + 3) for (x, y), (_, _, text) in zip(svg_plot.place_labels(points, frame), points)]
        for i, box in enumerate(boxes):
            self.assertTrue(box[0] >= 0 and box[2] <= 400 and box[1] >= 0 and box[3] <= 300, box)
            self.assertFalse(any(svg_plot.overlap(box, (x - 5, y - 5, x + 5, y + 5)) for x, y, _ in points))
            self.assertFalse(any(svg_plot.overlap(box, other) for other in boxes[i + 1:]))

    def test_a_logarithmic_axis_keeps_its_order_and_ends(self):
        axis = svg_plot.Log([0.2, 50], "")
        self.assertTrue(0 < axis.place(0.2) < axis.place(1) < axis.place(50) < 1)
        self.assertEqual(axis.ticks, [0.2, 0.5, 1, 2, 5, 10, 20, 50])


if __name__ == "__main__":
    unittest.main()
