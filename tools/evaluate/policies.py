# SPDX-License-Identifier: BSD-3-Clause
"""Ours beside every published policy in simulation: constant links, and links that change. Text and figures for docs/measurements.md."""
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from svg_plot import Linear, Log, Panel, figure  # noqa: E402

RATES = ("100kbit", "100Mbit", 13)
ROUND_TRIPS_MS = [1, 20, 100]
SLOWER = [1, 4, 10, 30]
OBJECTIVES = ["latency", "throughput"]
GATE = 0.98
PLAIN = ["device-only", "neurosurgeon", "dads", "spinn", "jalad"]
WITH_FILE = ["cloud-only", "neurosurgeon+file", "dads+file", "spinn+file", "jalad+file"]
BASELINES = PLAIN + WITH_FILE
# JALAD with our codec in place of its paper's Huffman code: no baseline, but shown beside them, so that none can be called weakened.
GIVEN_RUNS = {"jalad": "jalad+runs", "jalad+file": "jalad+runs+file"}
OFFLOADING = ["cloud-only", "neurosurgeon", "neurosurgeon+file", "dads", "dads+file", "spinn", "spinn+file", "jalad", "jalad+file"]
CODECS = "raw,dense,sparse,runs,rans,lz4,huffman,pixels,predicted,image"
D3_NETWORKS = ["alexnet", "vgg16", "resnet18", "darknet53", "inception_v4"]
DEVICE_SLOWER, EDGE_SPEEDUP, CLOUD_SPEEDUP = 20, 5, 10
FIGURE = "policies.svg"
LOOKS = {1: ("blue", "dot", ""), 4: ("green", "square", ""), 10: ("orange", "diamond", ""), 30: ("red", "dot", "4 2")}


class Simulator:
    def __init__(self, program, models, profiles, calibrations):
        self.program, self.models, self.profiles, self.calibrations = str(program), models, profiles, calibrations

    def __call__(self, network, *more):
        command = [self.program, "simulate", str(self.models / f"{network}.onnx"), "--device", str(self.profiles / f"{network}.json"),
                   "--cloud", str(self.profiles / f"{network}.json"), "--calibration", str(self.calibrations / f"{network}.json"), "--require", f"agreement={GATE}",
                   "--pixels", "--codec", CODECS, "-o", "json", *map(str, more)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def with_quick_huffman(calibration):
    """The calibration, but `huffman` takes the time of `rans` in the same cell: zlib's takes ten times as long, and JALAD shall not lose by its library."""
    for row in calibration["cuts"]:
        for cell in row["cells"]:
            took = {cost["codec"]: cost for cost in cell["codecs"]}
            if "huffman" in took and "rans" in took:
                for side in ("encode_s", "decode_s"):
                    took["huffman"][side] = min(took["huffman"][side], took["rans"][side])
    return calibration


def sweep(simulate, networks, asked):
    """{(network, objective, rtt_ms, slower, rate): {policy: row}}; `asked`: the systems of papers follow our objective."""
    found = {}
    for network in networks:
        for objective in OBJECTIVES:
            for rtt in ROUND_TRIPS_MS:
                for slower in SLOWER:
                    answer = simulate(network, "--trace", "sweep", "--bandwidth", RATES[0], "--to", RATES[1], "--steps", RATES[2], "--rtt", f"{rtt}ms", "--device-slower", slower,
                                      "--objective", objective, "--noise", "0.2", "--requests", "60", "--for", "36000s", *(["--papers-too"] if asked else []))
                    for p in answer["points"]:
                        found[network, objective, rtt, slower, p["bandwidth_bits_per_s"]] = {row["policy"]: row for row in p["policies"]}
        print(f"{network}: swept", file=sys.stderr)
    return found


def better(objective, row, other):
    """How many times as good `row` is as `other`; none where `other` may not be used."""
    if other["missed_limits"] > 0 or other["unanswered"] > 0:
        return None
    if objective == "throughput":
        return row["throughput_per_s"] / other["throughput_per_s"]
    return other["mean_latency_ms"] / row["mean_latency_ms"]


def best_of(objective, row, rows, names):
    return min((v for v in (better(objective, row, rows[n]) for n in names if n in rows) if v is not None), default=None)


def mean(ratios):
    return math.exp(statistics.mean(math.log(r) for r in ratios))


def figures_of(ratios):
    if not ratios:
        return "- | - | - | -"
    return f"{mean(ratios):.2f} | {statistics.median(ratios):.2f} | {max(ratios):.2f} | {min(ratios):.3f}"


def ratios_against(points, objective, names, slower=None):
    found = []
    for (_, goal, _, r, _), rows in points.items():
        if goal == objective and slower in (None, r):
            ratio = best_of(objective, rows["joint"], rows, names)
            if ratio is not None:
                found.append(ratio)
    return found


def place(key):
    network, _, rtt, slower, rate = key
    return f"{network}, {rate / 1e6:.3g} Mbit/s, {rtt} ms, r = {slower}"


def largest(points, objective, names):
    """(ratio, key) where ours is most times as good as the best of `names`."""
    all_of = [(best_of(objective, rows["joint"], rows, names), key) for key, rows in points.items() if key[1] == objective]
    return max((r, k) for r, k in all_of if r is not None)


def constant_text(own, asked):
    text = f"""### Constant links

{len(own) // 2:,} points for each objective: {len({k[0] for k in own})} networks, {RATES[2]} rates from 0.1 to 100 Mbit/s, round trips of {', '.join(map(str, ROUND_TRIPS_MS))} ms, a device
r = {', '.join(map(str, SLOWER))} times as slow as the server. 60 requests each, every transfer up to 20 % faster or slower. Whoever loses more than 2 % of the answers
(measured agreement below {GATE:.0%} on either half of the photographs) is not legal at that point, nor is a JPEG that does. *Times as good* is ours against
the best legal policy of the row: geometric mean, median, most and least over the points. Without a file every system may send pixels of 8 bits; with one, also the PNG or
JPEG of the crop. JALAD sends Huffman codes, as its paper does, in the time that our `rans` takes (zlib's coder would take ten times that); `jalad+runs` is the same with our
`runs` instead.

| objective | against | mean | median | most | least |
| --- | --- | --- | --- | --- | --- |
"""
    for objective in OBJECTIVES:
        text += f"| {objective} | **best of all baselines** | {figures_of(ratios_against(own, objective, BASELINES))} |\n"
        text += f"| {objective} | the same, JALAD given our `runs` | {figures_of(ratios_against(own, objective, [GIVEN_RUNS.get(n, n) for n in BASELINES]))} |\n"
        text += f"| {objective} | the same, each following our objective | {figures_of(ratios_against(asked, objective, BASELINES))} |\n"
        text += f"| {objective} | best without a picture's file | {figures_of(ratios_against(own, objective, PLAIN))} |\n"
        text += f"| {objective} | planned once for 10 Mbit/s | {figures_of(ratios_against(own, objective, ['planned-once']))} |\n"
        for name in [*BASELINES, *GIVEN_RUNS.values()]:
            found = ratios_against(own, objective, [name])
            if found:
                text += f"| {objective} | {name} | {figures_of(found)} |\n"
    text += "\nThe same against the best of all baselines, by how much slower the device is:\n\n| objective | r | mean | median | most | least |\n| --- | --- | --- | --- | --- | --- |\n"
    for objective in OBJECTIVES:
        for slower in SLOWER:
            text += f"| {objective} | {slower} | {figures_of(ratios_against(own, objective, BASELINES, slower))} |\n"
    worse = sorted((ratio, place(key)) for key, rows in own.items() if (ratio := best_of(key[1], rows["joint"], rows, BASELINES)) is not None and ratio < 0.995)
    text += f"\nPoints where ours is more than 0.5 % worse than the best legal baseline: {len(worse)} of {len(own)}"
    text += "".join(f"; {where} ({ratio:.3f})" for ratio, where in worse[:8]) + ".\n"
    even = sum(1 for key, rows in own.items() if (r := best_of(key[1], rows["joint"], rows, BASELINES)) is not None and 0.995 <= r <= 1.005)
    text += f"Points where it gains nothing (within 0.5 %): {even} of {len(own)}: there all the device, or the whole picture, is simply right.\n"
    regrets = [(rows["joint"]["regret"]["mean"], rows["joint"]["regret"]["worst"]) for rows in own.values()]
    text += (f"\nRegret of ours against the best candidate for the true link: mean {statistics.mean(m for m, _ in regrets):.2%}, worst point {max(m for m, _ in regrets):.2%}, "
             f"worst request {max(w for _, w in regrets):.1%}; {sum(rows['joint']['switches'] for rows in own.values())} changes of plan in {60 * len(own):,} requests.\n")
    return text


def paper_text(own):
    """What papers say in their headlines, and how near ours comes under which conditions."""
    device, key_d = largest(own, "throughput", ["device-only"])
    other, key_o = largest(own, "throughput", [n for n in OFFLOADING if "file" not in n and n != "cloud-only"])
    any_other, key_a = largest(own, "throughput", OFFLOADING)
    return f"""
### The papers' headlines

| paper's figure | best that ours reaches here | where |
| --- | --- | --- |
| DynO: throughput over 10 times device-only | {device:.1f} times | {place(key_d)} |
| DynO: up to 7.9 times other offloading systems | {other:.1f} times the best of Neurosurgeon, DADS, SPINN and JALAD without a picture's file | {place(key_o)} |
| | {any_other:.1f} times the best offloading of all, files and cloud-only among them | {place(key_a)} |

Against device-only no more than 1 + r times the server's speed-up over its own profile can be had; the server here is as fast as the device is at r = 1.
"""


def changing_text(simulate, networks):
    text = """
### Links that change

Requests one after the other for 60 s, best latency, r = 10, round trip 20 ms, transfers up to 20 % faster or slower; a probe of 4 kB where nothing has crossed for 0.8 s.
Regret is against the best candidate for the true link of each moment, which nobody can know beforehand.

| network | link | policy | requests | mean ms | changes of plan | regret: mean | 95 % | worst |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
    for network in networks:
        for name, trace in (("10 Mbit/s", ["constant"]), ("10 to 1.25 Mbit/s at 30 s", ["step"]), ("1.25 to 10 Mbit/s at 30 s", ["step", "--bandwidth", "1.25Mbit", "--to", "10Mbit"]),
                            ("10 to 1.25 Mbit/s over 60 s", ["ramp"]), ("like a phone's, around 10 Mbit/s", ["lte"])):
            rate = [] if "--bandwidth" in trace else ["--bandwidth", "10Mbit"]
            answer = simulate(network, "--trace", *trace, *rate, "--rtt", "20ms", "--device-slower", 10, "--noise", "0.2", "--policy", "joint,best")
            for row in answer["policies"]:
                regret = row["regret"]
                text += (f"| {network} | {name} | {row['policy']} | {row['requests']} | {row['mean_latency_ms']:.1f} | {row['switches']} | "
                         f"{regret['mean']:.2%} | {regret['p95']:.1%} | {regret['worst']:.1%} |\n")
    return text


def tiers_text(program, profiles):
    """Exact plans over three tiers beside those over two, on the networks that D3 evaluates."""
    text = f"""
### Three tiers

Exact plans (`narrows plan --edge-speedup`) on D3's networks, seeded weights: a device {DEVICE_SLOWER} times as slow as this machine, an edge {EDGE_SPEEDUP} times as fast as the device, a cloud
{CLOUD_SPEEDUP} times as fast as this machine; 100 Mbit/s and 1 ms to the edge, the backbone as said with 30 ms. *Times* is the latency of the exact plan over device and cloud alone
against that over three tiers; *backbone* is the bytes that cross it in the former against the latter (`all`: nothing crosses it any more). Lossless: floats, and
pixels at the input. 4 bits: these and `runs` at 4 and 8 bits, whose answers may differ.

| network | backbone, Mbit/s | lossless: times | over HPA | over the best single tier | backbone | 4 bits: times | backbone |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
    for network in D3_NETWORKS:
        profile = profiles / f"zoo_{network}.json"
        if not profile.exists():
            subprocess.run([str(program), "profile", f"zoo:{network}", "--repeats", "5", "--write", str(profile), "-o", "table"], check=True, stdout=subprocess.DEVNULL)
        for backbone in (1, 5, 20, 100):
            cells = []
            for codings in (["--codec", "raw"], ["--codec", "raw,runs", "--bits", "4,8"]):
                command = [str(program), "plan", f"zoo:{network}", "--device", str(profile), "--device-slower", str(DEVICE_SLOWER), "--edge-speedup", str(EDGE_SPEEDUP), "--server-speedup",
                           str(CLOUD_SPEEDUP), "--bandwidth", "100Mbit", "--rtt", "1ms", "--backbone", f"{backbone}Mbit", "--backbone-rtt", "30ms", "--pixels", "-o", "json", *codings]
                plans = {p["plan"]: p for p in json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)["plans"]}
                three, two = plans["three tiers"], plans["device and cloud"]
                alone = min(plans[n]["latency_ms"] for n in ("device alone", "edge alone", "cloud alone"))
                fewer = "-" if two["bytes"][1] == 0 else "all" if three["bytes"][1] == 0 else f"{two['bytes'][1] / three['bytes'][1]:.2f}"
                cells.append((f"{two['latency_ms'] / three['latency_ms']:.2f}", f"{plans['HPA']['latency_ms'] / three['latency_ms']:.2f}", f"{alone / three['latency_ms']:.2f}", fewer))
            text += f"| {network} | {backbone} | {' | '.join(cells[0])} | {cells[1][0]} | {cells[1][3]} |\n"
    return text + "\nD3 says up to 3.4 times end to end, and 3.68 times fewer bytes on the backbone.\n"


def draw(own):
    panels = []
    for objective in OBJECTIVES:
        lines = []
        for slower in SLOWER:
            by_rate = {}
            for (_, goal, _, r, rate), rows in own.items():
                ratio = best_of(objective, rows["joint"], rows, BASELINES) if goal == objective and r == slower else None
                if ratio is not None:
                    by_rate.setdefault(rate / 1e6, []).append(ratio)
            lines.append((f"r = {slower}", [(rate, mean(v)) for rate, v in sorted(by_rate.items())], LOOKS[slower]))
        values = [v for _, line, _ in lines for _, v in line]
        panels.append(Panel(f"{objective}: ours over the best baseline", Log([r for _, line, _ in lines for r, _ in line], "Mbit/s"),
                            Linear([1, *values], "times as good", 0.1, 1.0 if min(values) >= 1 else None), lines))
    return figure("Geometric mean over networks and round trips", panels, 2, [(f"device {s} times as slow", LOOKS[s]) for s in SLOWER])


def section(program, models, profiles, calibrations, networks, docs):
    with tempfile.TemporaryDirectory() as folder:
        quick = pathlib.Path(folder)
        for network in networks:
            (quick / f"{network}.json").write_text(json.dumps(with_quick_huffman(json.loads((calibrations / f"{network}.json").read_text()))))
        simulate = Simulator(program, models, profiles, quick)
        own, asked = sweep(simulate, networks, False), sweep(simulate, networks, True)
        changing = changing_text(simulate, networks)
    (docs / FIGURE).write_text(draw(own))
    return ("## Policies, simulated\n\nBy node times and codec times measured here (`narrows profile`), agreements and bytes measured on 200 photographs (`narrows calibrate`), and"
            " `narrows simulate`. Made again by\n`tools/measure.py policies`.\n\n" + constant_text(own, asked) + f"\n![Ours over the best baseline, by rate]({FIGURE})\n" + paper_text(own) +
            tiers_text(program, profiles) + changing)
