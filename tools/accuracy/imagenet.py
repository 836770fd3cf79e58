#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Scores the five ImageNet networks beside the checkout at every cut and width and writes the tables into
docs/measurements.md. A network whose scores are already in the folder is not scored again.

Usage: imagenet.py PROGRAM SHARED RESULTS [--pictures N] [--jobs N] [--threads N]
PROGRAM is narrows_accuracy, SHARED the folder with models/ and images/, RESULTS a folder for the scores.
"""
import argparse
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IMAGENET = ["--resize", "256", "--crop", "224"]
# Preprocessing as the models' README has it.
NETWORKS = {
    "squeezenet1_1": IMAGENET + ["--order", "bgr", "--mean", "104,117,123"],
    "mobilenet_v2_1.0_224": IMAGENET + ["--mean", "127.5", "--std", "127.5"],
    "resnet18": IMAGENET + ["--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"],
    "tiny_darknet": IMAGENET + ["--std", "255"],
    "mcunet_144": ["--resize", "164", "--crop", "144", "--mean", "127", "--std", "127.5"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--pictures", help="use the first N photographs only")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--only", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    how = parser.parse_args()
    how.results.mkdir(parents=True, exist_ok=True)
    for name in how.only:
        out = how.results / f"{name}.json"
        if out.exists():
            continue
        command = [how.program, "score", str(how.shared / "models/imagenet" / f"{name}.onnx"), str(how.shared / "images/photos"),
                   *NETWORKS[name], "--jobs", how.jobs, "--threads", how.threads, "--out", str(out)]
        if how.pictures:
            command += ["--pictures", how.pictures]
        if subprocess.run(command).returncode != 0:
            return 1
    scored = [str(how.results / f"{name}.json") for name in NETWORKS if (how.results / f"{name}.json").exists()]
    return subprocess.run([how.program, "report", *scored, "--document", str(ROOT / "docs/measurements.md")]).returncode


if __name__ == "__main__":
    sys.exit(main())
