#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the tables of docs/measurements.md again, each between marks of its own; what stands around them is kept.

  tools/measure.py low-widths    agreement and bytes at every cut and width of the five ImageNet networks (half an hour)
  tools/measure.py executor      the executor beside OpenCV's dnn module, one thread (a minute)

Needs build/release, configured with -DNARROWS_BUILD_BENCH=ON for `executor`, and the models and photographs in ../shared.
Scores of low-widths are kept in build/measurements: a network scored there is not scored again.
"""
import argparse
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMAGENET = ["--resize", "256", "--crop", "224"]
# Preprocessing as the models' README has it.
NETWORKS = {
    "squeezenet1_1": IMAGENET + ["--order", "bgr", "--mean", "104,117,123"],
    "mobilenet_v2_1.0_224": IMAGENET + ["--mean", "127.5", "--std", "127.5"],
    "resnet18": IMAGENET + ["--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"],
    "tiny_darknet": IMAGENET + ["--std", "255"],
    "mcunet_144": ["--resize", "164", "--crop", "144", "--mean", "127", "--std", "127.5"],
}
LEVELS = ["v2", "v3", "v4"]


def with_section(document, name, text):
    """`document` with the section of that name replaced, or added at its end."""
    begin, end = f"<!-- tools/measure.py {name} -->\n", f"<!-- end of {name} -->\n"
    block = begin + text + end
    if begin in document and end in document:
        before, rest = document.split(begin, 1)
        return before + block + rest.split(end, 1)[1]
    return (document or "# Measurements\n") + "\n" + block


def processor():
    """Name of the CPU, with what it has of what the kernels ask for."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^model name\s*: (.*)$", text, re.M)
    flags = set((re.search(r"^flags\s*: (.*)$", text, re.M) or [None, ""])[1].split())
    wanted = [f for f in ("avx2", "avx512f", "avx512_vbmi2") if f in flags]
    return (name[1] if name else platform.machine()) + (" with " + ", ".join(wanted) if wanted else "")


def output_of(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def low_widths(how):
    program = str(how.build / "bin/narrows_accuracy")
    results = how.build.parent / "measurements"
    results.mkdir(parents=True, exist_ok=True)
    for name, preprocessing in NETWORKS.items():
        scores = results / f"{name}.json"
        if not scores.exists():
            output_of([program, "score", str(how.shared / "models/imagenet" / f"{name}.onnx"), str(how.shared / "images/photos"), *preprocessing,
                       "--jobs", "2", "--out", str(scores)])
    return output_of([program, "report", *(str(results / f"{name}.json") for name in NETWORKS)])


def executor(how):
    program = str(how.build / "bin/narrows_bench_exec")
    models = [str(how.shared / "models/imagenet" / f"{name}.onnx") for name in NETWORKS]
    compiler = output_of(["g++", "--version"]).splitlines()[0]
    text = f"""## Executor

One thread of the reference executor and one of OpenCV's dnn module in turn, request by request; times are processor time, medians of 30 with
half the distance between the quartiles. *Ratio* is the median of OpenCV's time over ours, pair by pair. Before they are timed, both answers
are compared. {processor()}; {compiler}.
Made again by `tools/measure.py executor`.
"""
    for level in LEVELS:
        text += f"\n### x86-64-{level}\n\n" + output_of([program, "--level", level, *models])
    return text


SECTIONS = {"low-widths": low_widths, "executor": executor}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--document", type=pathlib.Path, default=ROOT / "docs/measurements.md")
    how = parser.parse_args()
    try:
        text = SECTIONS[how.section](how)
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"measure: {problem}", file=sys.stderr)
        return 1
    before = how.document.read_text() if how.document.exists() else ""
    how.document.write_text(with_section(before, how.section, text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
