# SPDX-License-Identifier: BSD-3-Clause
"""The section "Codecs" of docs/kernels.md, from what narrows_bench_codecs prints."""
import collections
import csv
import io
import json
import statistics

WORKING_SETS = {"L2": "1 MiB of floats", "DRAM": "256 MiB of floats"}
ORDERS = {"nchw": "NCHW", "nhwc": "NHWC"}
# What a person would install and call: Zstandard's level 1 (zstd -1) on one byte per code.
BASELINE = "zstd_bytes"


def header(widths):
    return "| | " + " | ".join(map(str, widths)) + " |\n| --- |" + " --- |" * len(widths) + "\n"


class Sizes:
    """Bits per value and entropies, one entry per tensor, from the program's CSV."""

    def __init__(self, text):
        self.bits, self.entropy = collections.defaultdict(list), collections.defaultdict(list)
        self.tensors, self.contenders, self.widths = {}, [], []
        for row in csv.DictReader(io.StringIO(text)):
            kind = "synthetic" if row["network"] == "synthetic" else "real"
            self.tensors.setdefault(kind, {}).setdefault((row["network"], row["tensor"]), float(row["zeros"]))
            key = kind, row["order"], row["contender"], int(row["bits"])
            self.bits[key].append(float(row["bits_per_value"]))
            self.entropy[key].append(float(row["entropy"]))
            if row["contender"] not in self.contenders:
                self.contenders.append(row["contender"])
            if int(row["bits"]) not in self.widths:
                self.widths.append(int(row["bits"]))

    def ratios(self, kind, order, who, width):
        key = kind, order, who, width
        return [bits / least for bits, least in zip(self.bits[key], self.entropy[key])]

    def table(self, kind, order, cell, first=""):
        text = header(self.widths) + first
        for who in self.contenders:
            text += f"| {who} | " + " | ".join(cell(kind, order, who, width) for width in self.widths) + " |\n"
        return text

    def section(self):
        def bits(*key):
            return f"{statistics.median(self.bits[key]):.2f}"

        def ratio(*key):
            all_of = self.ratios(*key)
            return f"{statistics.median(all_of):.2f} / {max(all_of):.2f}"

        def one_ratio(*key):
            return f"{statistics.median(self.ratios(*key)):.2f}"

        def entropies(kind):
            some = self.contenders[0]
            return "| entropy | " + " | ".join(f"{statistics.median(self.entropy[kind, 'nchw', some, width]):.2f}" for width in self.widths) + " |\n"

        text = ""
        if "real" in self.tensors:
            for order, name in ORDERS.items():
                text += f"\n### Size over entropy, {name}: median / worst tensor\n\n" + self.table("real", order, ratio)
            text += "\n### Bits per value, NCHW: median tensor\n\n" + self.table("real", "nchw", bits, entropies("real"))
        if "synthetic" in self.tensors:
            text += "\n### Size over entropy, synthetic tensor, NCHW\n\n" + self.table("synthetic", "nchw", one_ratio)
        return text


def speeds_of(answer):
    """(operation, width, contender, working set) -> ns per 1000 values, one for each repetition."""
    rows = collections.defaultdict(list)
    for row in json.loads(answer)["benchmarks"]:
        if row["run_type"] == "iteration":
            operation, who, where = row["run_name"].split("/")
            operation, width = operation.rsplit("_u", 1)
            rows[operation, int(width), who, where].append(1e12 / row["items_per_second"])
    return rows


def timed(times):
    """A median, with half the distance between the quartiles where that is 5 % or more."""
    times = sorted(times)
    middle, spread = statistics.median(times), (times[len(times) * 3 // 4] - times[len(times) // 4]) / 2
    return f"{middle:.1f}" if spread < 0.05 * middle else f"{middle:.1f} ± {spread:.1f}"


def speed_table(rows, operation, where, order):
    widths = sorted({key[1] for key in rows if key[0] == operation and key[3] == where})
    # In the order of the sizes: interleaved repetitions come in any order.
    contenders = ["alone", *order]

    def median(who, width):
        times = rows.get((operation, width, who, where))
        return statistics.median(times) if times else None

    text = header(widths)
    for who in contenders:
        cells = []
        for width in widths:
            own, alone, peer = median(who, width), median("alone", width), median(BASELINE, width)
            if own is None:
                cells.append("")
                continue
            cell = timed(rows[operation, width, who, where])
            if who != "alone" and alone and peer:
                faster = peer / own
                cell += f" ({own / alone:.1f}; {faster:.{0 if faster >= 10 else 1 if faster >= 1 else 2}f})"
            cells.append(cell)
        if any(cells):
            text += f"| {who} | " + " | ".join(cells) + " |\n"
    return text


def cuts_of(answer):
    """Working set -> (network and tensor, share of zeros in what is timed), for rows on one cut alone."""
    return {row["run_name"].split("/")[2]: (row["label"], row["zeros"])
            for row in json.loads(answer)["benchmarks"] if row["run_type"] == "iteration" and "zeros" in row}


def cut_section(rows, cuts, order):
    """Every cut by itself, as a multiple of `alone` on the same values; nothing where none was timed."""
    widths = sorted({width for _, width, _, where in rows if where in cuts})
    if not widths:
        return ""
    networks = sorted({cut.split(" ")[0] for cut, _ in cuts.values()})
    text = f"""
### Every cut by itself, 1 MiB of floats

How many times as long as `alone` on the same values, over the {len(cuts)} ReLU cuts of {" and ".join(networks)}: median, and the worst with the share of zeros
in what is timed. One photograph; a tensor fills the 1 MiB by its middle part or repeated.

| | encode: median | worst | at | decode: median | worst | at |
| --- | --- | --- | --- | --- | --- | --- |
"""
    for width in widths:
        for who in order:
            cells = []
            for operation in ("encode", "decode"):
                ratios = {where: statistics.median(rows[operation, width, who, where]) / statistics.median(rows[operation, width, "alone", where])
                          for where in cuts if (operation, width, who, where) in rows}
                if ratios:
                    worst = max(ratios, key=ratios.get)
                    cut, zeros = cuts[worst]
                    cells += [f"{statistics.median(ratios.values()):.2f}", f"{ratios[worst]:.2f}", f"{cut}, {100 * zeros:.0f} % zeros"]
            if cells:
                text += f"| {who}, {width} bits | " + " | ".join(cells) + " |\n"
    return text


def section(sizes_csv, speeds_json, machine):
    """The whole section as Markdown; `machine` says where the times were taken."""
    sizes, rows = Sizes(sizes_csv), speeds_of(speeds_json)
    real = sizes.tensors.get("real", {})
    if real:
        zeros = sorted(real.values())
        networks = list(dict.fromkeys(network for network, _ in real))
        data = (f"{len(real)} feature maps, each of two photographs: every tensor behind a ReLU that is a cut by itself in\n{', '.join(networks)}; "
                f"{100 * zeros[0]:.0f} to {100 * zeros[-1]:.0f} % zeros, median {100 * statistics.median(zeros):.0f} %.\n")
        timed_data = "Timed on pieces of the tensors of resnet18 and squeezenet1_1, each scaled to its range, one after the other."
    else:
        data = "No models were found: sizes and times are those of the synthetic tensor alone. "
        timed_data = ""
    text = f"""## Codecs

{data}Levels run from 0 to the value that one value in a thousand exceeds. The synthetic tensor is 256 maps of 56x56, alike where
they are near, 55 % zeros. *Entropy*: bits per value that coding each code by how often it occurs would take at best; below 1, a codec uses what neighbours have in common.

`dense` to `huffman` are our codecs through `encode` and `decode`, range given; where a stream would be larger than the dense one, `encode` sends that, and its
time includes the attempt. The others are what one could install, behind our quantise in pieces of 65536 values: `_bytes` on one byte per code, `_packed` on
the dense bytes. `zstd_bytes`, `zstd_packed`: Zstandard's level 1 (`zstd -1`); `zstd_fast`: level -1; `blosc`: Blosc 1 around LZ4. Every contender must give back
the values of plain quantising before it is timed.

![Size over speed of the codecs](codecs.svg)
"""
    text += sizes.section()
    text += f"""
### Speed

ns per 1000 float32 values by width, one thread, processor time, median of interleaved repetitions (± half the distance between the quartiles where that is 5 %
or more). `alone` quantises to one byte per code, or dequantises, and does nothing else. In brackets: how many times as long as `alone`; how many times as fast as
`{BASELINE}`. {timed_data}
{machine}.
Made again by `tools/measure.py codecs`.
"""
    for where, name in WORKING_SETS.items():
        for operation in ("encode", "decode"):
            if any(key[0] == operation and key[3] == where for key in rows):
                text += f"\n### {operation.capitalize()}, {name}\n\n" + speed_table(rows, operation, where, sizes.contenders)
    return text + cut_section(rows, cuts_of(speeds_json), sizes.contenders)
