#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tools/evaluate makes of rows: ratios against the best legal baseline, regrets, errors of prediction."""
import math
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools/evaluate")]
import live  # noqa: E402
import policies  # noqa: E402


def simulated(ms, per_s, missed=0, regret=0.0):
    return {"mean_latency_ms": ms, "throughput_per_s": per_s, "missed_limits": missed, "unanswered": 0, "switches": 0,
            "regret": {"mean": regret, "p95": regret, "worst": regret}}


class Policies(unittest.TestCase):
    def setUp(self):
        rows = {"joint": simulated(10, 200), "planned-once": simulated(40, 50), "device-only": simulated(20, 100), "jalad": simulated(5, 400, missed=3),
                "jalad+runs": simulated(11, 210), "cloud-only": simulated(12, 150)}
        slow = {"joint": simulated(30, 40), "planned-once": simulated(30, 40), "device-only": simulated(30, 40), "jalad": simulated(60, 20), "cloud-only": simulated(90, 10)}
        self.points = {("net", goal, 20, 4, rate): dict(r) for goal in policies.OBJECTIVES for rate, r in ((1e6, rows), (1e7, slow))}

    def test_compares_with_the_best_that_is_legal(self):
        self.assertEqual(policies.ratios_against(self.points, "latency", policies.BASELINES), [1.2, 1.0])
        self.assertEqual([round(r, 3) for r in policies.ratios_against(self.points, "throughput", policies.BASELINES)], [1.333, 1.0])
        self.assertEqual(policies.ratios_against(self.points, "latency", ["jalad"]), [2.0], "an illegal row is no row")
        self.assertEqual(policies.ratios_against(self.points, "latency", policies.BASELINES, slower=10), [])
        self.assertEqual(policies.largest(self.points, "latency", ["device-only"]), (2.0, ("net", "latency", 20, 4, 1e6)))
        self.assertAlmostEqual(policies.mean([2, 8]), 4)

    def test_gives_huffman_the_time_of_rans(self):
        codecs = [{"codec": "huffman", "encode_s": 9, "decode_s": 1, "bytes": 5}, {"codec": "rans", "encode_s": 2, "decode_s": 3, "bytes": 4}]
        lone = [{"codec": "huffman", "encode_s": 9, "decode_s": 1, "bytes": 5}]
        made = policies.with_quick_huffman({"cuts": [{"cells": [{"codecs": codecs}, {"codecs": lone}]}]})["cuts"][0]["cells"]
        self.assertEqual(made[0]["codecs"][0], {"codec": "huffman", "encode_s": 2, "decode_s": 1, "bytes": 5})
        self.assertEqual(made[1]["codecs"], [{"codec": "huffman", "encode_s": 9, "decode_s": 1, "bytes": 5}])

    def test_writes_tables_and_a_figure_of_them(self):
        text = policies.constant_text(self.points, self.points) + policies.paper_text(self.points)
        self.assertIn("| latency | **best of all baselines** | 1.10 | 1.10 | 1.20 | 1.000 |", text)
        self.assertIn("| latency | the same, JALAD given our `runs` | 1.05 | 1.05 | 1.10 | 1.000 |", text)
        self.assertIn("| throughput | jalad+runs | 0.95 | 0.95 | 0.95 | 0.952 |", text)
        self.assertIn("more than 0.5 % worse than the best legal baseline: 0 of 4", text)
        self.assertIn("gains nothing (within 0.5 %): 2 of 4", text)
        self.assertIn("2.0 times | net, 1 Mbit/s, 20 ms, r = 4", text)
        with_all = {(n, g, t, s, rate): rows for (n, g, t, _, rate), rows in self.points.items() for s in policies.SLOWER}
        self.assertIn("<svg", policies.draw(with_all))


class Live(unittest.TestCase):
    def test_sums_up_points(self):
        took = {p: 100.0 for p in live.POLICIES + [live.ORACLE]}
        took |= {"joint": 50.0, live.ORACLE: 49.0, "spinn": 45.0}
        row = {"network": "net", "objective": "latency", "rate": 5e6, "rtt_s": 0.02, "slower": 4, "policies": {
            p: {"ms": ms, "median_ms": ms, "bytes": 1, "per_request_ms": ms, "plan": "", "prediction_errors": [0.1], "switches": 0, "simulated_ms": ms * 1.1, "simulated_per_s": 1}
            for p, ms in took.items()}}
        text = live.section([row])
        self.assertIn("| ours against `told`, share of time lost: mean, 95 % | 2.0%, 2.0% |", text)
        self.assertIn("| predicted latency of ours, error: median, 95 % | 10.0%, 10.0% |", text)
        self.assertIn("| simulated beside live latency, difference over all policies: median | 10.0% |", text)
        self.assertIn("worse than the best baseline at 1 of 1 points: net, latency, 5 Mbit/s, 20 ms, r = 4 (0.90, spinn)", text)
        self.assertFalse(math.isnan(live.value("throughput", row["policies"]["joint"])))

    def test_writes_preprocessing_as_a_model_takes_it(self):
        self.assertEqual(live.words_of(["--resize", "256", "--mean", "1,2,3", "--std", "5", "--order", "bgr"]),
                         {"resize": 256, "mean": [1, 2, 3], "std": [5, 5, 5], "order": "bgr"})


if __name__ == "__main__":
    unittest.main()
