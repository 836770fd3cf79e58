#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the tables of docs/measurements.md and docs/kernels.md again, each between marks of its own; what stands around
them is kept.

  tools/measure.py low-widths    agreement and bytes at every cut and width of the five ImageNet networks (half an hour)
  tools/measure.py bytes         the smallest requests of the five networks whose answers hold, beside PNG and JPEG (an hour)
  tools/measure.py executor      the executor beside OpenCV's dnn module, one thread (a minute)
  tools/measure.py kernels       packing and unpacking beside the limit and what else there is, one thread (ten minutes)
  tools/measure.py codecs        sizes and speeds of the codecs on real feature maps, beside LZ4, Zstandard and Blosc (two minutes)
  tools/measure.py neon          cycles of the NEON kernels in llvm-mca's models of two ARM cores (a minute; needs no build, but an
                                 AArch64 compiler, tools/setup --more, and llvm-mca, Debian's llvm-19)
  tools/measure.py compile       what the headers of pack cost a translation unit that includes them (five minutes, no build)
  tools/measure.py planning      how long planning takes on the networks of the zoo, and how far HPA is from the exact plan (a minute)
  tools/measure.py policies      ours beside every published policy, simulated by profiles and calibrations (ten minutes, and the
                                 profiles and calibrations first where build/measurements does not have them yet)
  tools/measure.py live          the same by real processes over a shaped link; needs root (half an hour; --points N: only the first so many)
  tools/measure.py plots         measures nothing: draws the figures of docs/kernels.md from its tables, as `kernels` and `codecs` do

Needs build/release, configured with -DNARROWS_BUILD_BENCH=ON for all but the first two (tools/setup --bench), and the models and photographs in
../shared. Calibrations are kept in build/measurements: a network calibrated there is not calibrated again; one of which only the first half is
there (NAME.json.part: the usual precisions) is calibrated in what else its most promising cuts get.
"""
import argparse
import collections
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "evaluate"))

import codec_tables
import live
import measure_compile
import measure_neon
import measure_plots
import policies

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
WIDTHS = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16]
WORKING_SETS = {"L1": "16 KiB of floats", "L2": "1 MiB of floats", "L3": "8 MiB of floats", "DRAM": "256 MiB of floats"}
# Fastest first; a limit of several ways is shown as one. The last four would take minutes beyond the caches.
CONTENDERS = ["avx512_relu", "avx512", "avx2_relu", "avx2", "neon64_relu", "neon64", "sse4_1", "xnnpack", "onednn", "generic", "scalar", "plain_loop", "scalar_loop"]
CACHED_ONLY = CONTENDERS[-4:]


def with_section(document, name, text, title="Measurements"):
    """`document` with the section of that name replaced, or added at its end; an empty document gets a title."""
    begin, end = f"<!-- tools/measure.py {name} -->\n", f"<!-- end of {name} -->\n"
    block = begin + text + end
    if begin in document and end in document:
        before, rest = document.split(begin, 1)
        return before + block + rest.split(end, 1)[1]
    return (document or f"# {title}\n") + "\n" + block


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
    one_thread = dict(os.environ, OMP_NUM_THREADS="1")   # oneDNN's own
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=one_thread).stdout


# What the most promising cuts of a network (most_promising) are calibrated in beside the usual precisions: with those, every step from 2 to
# 6 bits in halves, one bit of room above it and 4 bits at least, for the tensor and for each channel; and reconstruction levels where clips
# are coarse. dense and runs are there so that their columns stay filled.
CHANNEL_STEPS = [f"{max(4, halves // 2 + 1)}:channel-step-{halves / 2:g}" for halves in range(4, 13)]
FURTHER = ["--precision", ",".join(["4:step-2", *CHANNEL_STEPS, "3:clip+levels", "4:clip+levels"]), "--codec", "dense,runs,rans,zstd"]


def most_promising(calibration, count=4, near=1.25):
    """Names of the cuts that a plan might take: the `count` with the smallest legal payloads (98 % of each half of the inputs) of those with at most
    80 % of the work in the head, and every cut whose smallest is less than `near` times the smallest of all cuts before it: a slow device takes an early
    one, and other precisions may bring it below them."""
    def legal(score):
        halves = [score["selection"], score["confirmation"]]
        return sum(h["inputs"] for h in halves) == calibration["inputs"] and all(h["agree"] >= 0.98 * h["inputs"] for h in halves)

    smallest, early, least = {}, [], math.inf
    for row in calibration["cuts"]:
        payloads = [cost["payload_bytes"] for cell in row["cells"] if legal(cell["score"]) and cell["rule"] != "upper-end" for cost in cell["codecs"]]
        if payloads and row["macs_share"] <= 0.8:
            smallest[row["cut"]] = min(payloads)
            if 0 < row["macs_share"] and min(payloads) < near * least:
                early.append(row["cut"])
            least = min(least, *payloads)
    chosen = set(early) | set(sorted(smallest, key=smallest.get)[:count])
    return [cut for cut in smallest if cut in chosen]


def calibrated(how, kind, options, further=()):
    """Files of `narrows calibrate` for the five networks, two inputs at once; those that are there already are kept. `further`: options for the
    most promising cuts, which are calibrated again."""
    results = how.build.parent / "measurements" / kind
    results.mkdir(parents=True, exist_ok=True)
    files = []
    for name, preprocessing in NETWORKS.items():
        files.append(str(results / f"{name}.json"))
        if os.path.exists(files[-1]):
            continue
        command = [str(how.build / "bin/narrows"), "calibrate", str(how.shared / "models/imagenet" / f"{name}.onnx"), str(how.shared / "images/photos"),
                   *preprocessing, "--jobs", "2", "-o", "csv"]
        made = files[-1] + ".part"   # only what is complete has the name that is looked for
        if not os.path.exists(made):
            output_of([*command, *options, "--write", made])
        cuts = most_promising(json.loads(pathlib.Path(made).read_text())) if further else []
        if cuts:
            output_of([*command, "--cut", ",".join(cuts), *further, "--add-to", made, "--write", made])
        os.rename(made, files[-1])
    return files


def plan_calibrations(how):
    """What plans are made of, and the goals for bytes are held against."""
    return calibrated(how, "plans", ["--codec", "dense,sparse,runs,rans,lz4,zstd,huffman", "--most-share", "0.95"], FURTHER)


def low_widths(how):
    files = calibrated(how, "low-widths", ["--precision", "1,2,3,4,5,6,8", "--codec", "dense,sparse", "--dominated", "--give-up", "0"])
    return output_of([str(how.build / "bin/narrows_accuracy"), "low-widths", *files])


def smallest_requests(how):
    return output_of([str(how.build / "bin/narrows_accuracy"), "bytes", *plan_calibrations(how)])


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


def with_spread(times):
    times = sorted(times)
    middle, spread = statistics.median(times), (times[len(times) * 3 // 4] - times[len(times) // 4]) / 2
    return f"{middle:.1f}" if spread < 0.05 * middle else f"{middle:.1f} ± {spread:.1f}"


def shape_tables(rows):
    """Packing of shapes that are not one scale and whole blocks, and finding a range."""
    text = "\n## Scales per channel, and short tensors\n\n"
    text += "Through `quantize_pack` and `unpack_dequantize` as an engine calls them: 1 MiB of floats where not said; in brackets the speed\n"
    text += "beside one scale per tensor, for the short ones (n values) beside n = 1024.\n\n"
    columns = [(op, width) for op in ("shape_pack", "shape_unpack") for width in (4, 12)]
    text += "| | " + " | ".join(f"{op.removeprefix('shape_')}, {width} bits" for op, width in columns) + " |\n| --- |" + " --- |" * len(columns) + "\n"
    shapes = [who for op, who, width, where in rows if (op, width) == columns[0]]
    for who in shapes:
        cells = []
        for op, width in columns:
            times, base = (rows[op, name, width, "L2"] for name in (who, "n_1024" if who.startswith("n_") else "per_tensor"))
            share = "" if base is times else f" ({100 * statistics.median(base) / statistics.median(times):.0f} %)"
            cells.append(with_spread(times) + share)
        text += f"| {who} | " + " | ".join(cells) + " |\n"
    text += "\n## Finding a range\n\nIn brackets the share of the limit of packing at 1 bit, which reads the same.\n\n"
    places = ["L2", "DRAM"]
    text += "| | " + " | ".join(WORKING_SETS[where] for where in places) + " |\n| --- |" + " --- |" * len(places) + "\n"
    for who in ("min_max", "laplace", "histogram"):
        cells = []
        for where in places:
            limit = min(statistics.median(times) for (op, name, width, at), times in rows.items()
                        if (op, width, at) == ("quantize_pack", 1, where) and name.startswith("limit"))
            times = rows["range", who, 4, where]
            cells.append(f"{with_spread(times)} ({100 * limit / statistics.median(times):.0f} %)")
        text += f"| {who} | " + " | ".join(cells) + " |\n"
    return text


def kernel_table(rows, operation, working_set):
    """One table: ns per 1000 values by contender and width, with the share of the limit that ours reach."""
    text = f"\n### {WORKING_SETS[working_set]}\n\n| | " + " | ".join(map(str, WIDTHS)) + " |\n| --- |" + " --- |" * len(WIDTHS) + "\n"
    limits = {}
    for width in WIDTHS:
        ways = [statistics.median(times) for (op, who, at, where), times in rows.items()
                if (op, at, where) == (operation, width, working_set) and who.startswith("limit")]
        limits[width] = min(ways) if ways else None
    if any(limits.values()):
        text += "| limit | " + " | ".join(f"{limits[w]:.1f}" for w in WIDTHS) + " |\n"
    for who in CONTENDERS:
        cells = []
        for width in WIDTHS:
            times = rows.get((operation, who, width, working_set))
            if not times:
                cells.append("")
                continue
            middle, cell = statistics.median(times), with_spread(times)
            if limits[width] and who.removesuffix("_relu") in ("avx512", "avx2", "neon64"):
                cell += f" ({100 * limits[width] / middle:.0f} %)"
            cells.append(cell)
        if any(cells):
            text += f"| {who} | " + " | ".join(cells) + " |\n"
    return text


def kernels(how):
    program = str(how.build / "bin/narrows_bench_pack")
    widths = "|".join(map(str, WIDTHS))
    rows = collections.defaultdict(list)
    for where in WORKING_SETS:
        left_out = ["avx512_vbmi", "sse4_1_relu", "generic_relu", "scalar_relu", "avx512_vbmi_relu"] + (CACHED_ONLY if where in ("L3", "DRAM") else [])
        wanted = [name for name in output_of([program, "--benchmark_list_tests", f"--benchmark_filter=_u({widths})/.*/{where}$"]).split()
                  if name.split("/")[1] not in left_out]
        answer = output_of([program, f"--benchmark_filter=^({'|'.join(wanted)})$", "--benchmark_format=json", "--benchmark_repetitions=7",
                            "--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.01"])
        for row in json.loads(answer)["benchmarks"]:
            if row["run_type"] == "iteration":
                operation, who, working_set = row["run_name"].split("/")
                operation, width = operation.rsplit("_u", 1)
                rows[operation, who, int(width), working_set].append(1e12 / row["items_per_second"])
    text = f"""## Packing and unpacking

ns per 1000 float32 values by width in bits, one thread, processor time, median of 7 interleaved repetitions (± half the distance between the
quartiles where that is 5 % or more). *limit* moves the same bytes and computes nothing, in the fastest of ten ways (unpacking: eight); in brackets, the share of it that a
kernel reaches. Every contender's answers are compared with the reference before it is timed. `xnnpack` and `onednn` are given the range, as ours are.
`plain_loop` is the block layout in loops for a vectoriser (-O3 -march=native), `scalar_loop` a linear stream, value by value (-O2).
`avx512` also packs where `avx512_vbmi` is in use; `_relu` is packing by levels whose first is 0, as after a ReLU, the other rows by levels
of both signs. {processor()}; {output_of(["g++", "--version"]).splitlines()[0]}.
Made again by `tools/measure.py kernels`.

![Speed of packing by width](kernels_pack.svg)

![Speed of unpacking by width](kernels_unpack.svg)
"""
    for operation, title in (("quantize_pack", "Quantise and pack"), ("unpack_dequantize", "Unpack and dequantise")):
        text += f"\n## {title}\n"
        for where in WORKING_SETS:
            text += kernel_table(rows, operation, where)
    return text + shape_tables(rows)


def codecs(how):
    program = str(how.build / "bin/narrows_bench_codecs")
    sizes = output_of([program, "--sizes", str(how.shared)])
    speeds = output_of([program, "--benchmark_format=json", "--benchmark_repetitions=7", "--benchmark_enable_random_interleaving=true",
                        "--benchmark_min_time=0.01", str(how.shared)])
    return codec_tables.section(sizes, speeds, f'{processor()}; {output_of(["g++", "--version"]).splitlines()[0]}')


def planning(how):
    runs = json.loads(output_of([str(how.build / "bin/narrows_bench_planning"), "--benchmark_format=json", "--benchmark_repetitions=7",
                                 "--benchmark_min_time=0.02", "--benchmark_enable_random_interleaving=true"]))["benchmarks"]
    took, counted = collections.defaultdict(list), {}
    for run in runs:
        if run["run_type"] == "iteration":
            task, network = run["name"].split("/")[:2]
            took[task, network].append(run["cpu_time"])
            counted.setdefault(network, {}).update({k: v for k, v in run.items() if k in ("nodes", "pieces", "candidates") or k.startswith("gap")})
    text = f"""## Planning

Median of 7 interleaved repetitions, {processor()}, one thread. Node times are assumed: multiply-adds at 2, 20 and 200 GMAC/s on device, edge and cloud, and 20 us for
each node; links of 50 Mbit/s and 2 ms, then 10 Mbit/s and 30 ms; two tiers: 10 Mbit/s and 20 ms. *Re-plan*: what `joint` takes to choose among the candidates that none
dominates, of every single-tensor cut, 6 widths and 4 codecs. *Gap*: by how much longer the plan of HPA takes than the exact one, with floats and pixels crossing as in D3.
Made again by `tools/measure.py planning`.

| network | nodes | min-cut, us | three tiers, us | HPA, us | gap of HPA | envelope: pieces | look-up, ns | candidates | re-plan, us |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
    for network, c in sorted(counted.items(), key=lambda item: item[1]["nodes"]):
        us = {task: statistics.median(took[task, network]) for task in ("min_cut", "three_tiers", "hpa", "envelope", "replan")}
        text += (f"| {network} | {c['nodes']:.0f} | {us['min_cut']:.1f} | {us['three_tiers']:.1f} | {us['hpa']:.1f} | {c['gap_percent']:.0f} % | {c['pieces']:.0f} | "
                 f"{us['envelope'] * 1e3:.0f} | {c['candidates']:.0f} | {us['replan']:.2f} |\n")
    return text


def evaluation_inputs(how):
    """Folders of profiles and calibrations of the networks, made where they are not there yet."""
    program, models = str(how.build / "bin/narrows"), how.shared / "models/imagenet"
    profiles = ROOT / "build/measurements/profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        if not (profiles / f"{network}.json").exists():
            output_of([program, "profile", str(models / f"{network}.onnx"), "--write", str(profiles / f"{network}.json"), "-o", "table"])
    return models, profiles, pathlib.Path(plan_calibrations(how)[0]).parent


def policies_section(how):
    models, profiles, calibrations = evaluation_inputs(how)
    return policies.section(how.build / "bin/narrows", models, profiles, calibrations, NETWORKS, ROOT / "docs")


def live_section(how):
    _, profiles, calibrations = evaluation_inputs(how)
    rows = live.measure(how.build, NETWORKS, profiles, calibrations, live.GRID[:how.points], ROOT / "build/measurements/live/rows.jsonl")
    steps = live.measure_steps(how.build, NETWORKS, profiles, calibrations, ROOT / "build/measurements/live/steps.json")
    return live.section(rows) + live.steps_text(steps)


# What makes each section, the document that holds it and that document's title.
SECTIONS = {
    "low-widths": (low_widths, "measurements.md", "Measurements"),
    "bytes": (smallest_requests, "measurements.md", "Measurements"),
    "executor": (executor, "measurements.md", "Measurements"),
    "planning": (planning, "measurements.md", "Measurements"),
    "policies": (policies_section, "measurements.md", "Measurements"),
    "live": (live_section, "measurements.md", "Measurements"),
    "kernels": (kernels, "kernels.md", "Kernels"),
    "codecs": (codecs, "kernels.md", "Kernels"),
    "neon": (measure_neon.neon, "kernels.md", "Kernels"),
    "compile": (measure_compile.compile_time, "measurements.md", "Measurements"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=[*SECTIONS, "plots"])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--document", type=pathlib.Path, help="instead of the section's own")
    parser.add_argument("--points", type=int, help="of `live`: so many of its points")
    how = parser.parse_args()
    make, file, title = SECTIONS.get(how.section, (None, "kernels.md", ""))
    document = how.document or ROOT / "docs" / file
    try:
        if make:
            text = make(how)
            before = document.read_text() if document.exists() else ""
            document.write_text(with_section(before, how.section, text, title))
        if file == "kernels.md":
            measure_plots.draw(document.read_text(), document.parent)
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"measure: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
