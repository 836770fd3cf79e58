# SPDX-License-Identifier: BSD-3-Clause
"""Every policy over real processes and a shaped link: what they took, beside what `narrows simulate` said they would.

Device and cloud are `narrows run` and `narrows serve` in two network namespaces of this machine; a slower device waits after each run of
its part (a quota of processor time was tried: its slices scatter the same plan by a fifth). Each row is one policy at one point; rows are kept in a file, and a point that is in it is not measured again.
"""
import json
import pathlib
import signal
import statistics
import subprocess
import time

import link

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PHOTOGRAPHS = ROOT.parent / "shared/images/photos"
MODELS = ROOT.parent / "shared/models/imagenet"
POLICIES = ["joint", "device-only", "cloud-only", "neurosurgeon", "dads", "spinn", "jalad", "planned-once"]
ORACLE = "told"          # the best candidate for the true link, which is told; it learns nothing and is not asked to
REQUESTS, LEARNT = 16, 4  # of which the first so many are not counted
# The same for both; not the picture's file: what it is worth depends on the camera, not on the link.
CODECS = ["--codec", "raw,dense,sparse,runs,rans,lz4,pixels"]
IN_FLIGHT = {"latency": 1, "throughput": 8}


def words_of(preprocessing):
    """The options of `narrows infer` as the MODEL.json that lies beside a model says them."""
    said = {}
    for option, value in zip(preprocessing[::2], preprocessing[1::2]):
        key = option.removeprefix("--")
        if key in ("resize", "crop"):
            said[key] = int(value)
        elif key == "order":
            said[key] = value
        else:
            said[key] = [float(v) for v in value.split(",")] * (3 if "," not in value else 1)
    return said


class Bench:
    """Models with their MODEL.json, profiles and calibrations, and one cloud that serves them all."""

    def __init__(self, build, networks, calibrations, scratch):
        self.program, self.shaper = str(build / "bin/narrows"), str(build / "bin/narrows_shaper")
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.models, self.options = {}, {}
        for name, preprocessing in networks.items():
            model = scratch / f"{name}.onnx"
            if not model.exists():
                model.symlink_to(MODELS / f"{name}.onnx")
            model.with_suffix(".json").write_text(json.dumps(words_of(preprocessing)))
            profile = scratch / f"{name}.profile.json"
            if not profile.exists():
                subprocess.run([self.program, "profile", str(model), "--write", str(profile), "-o", "table"], check=True, stdout=subprocess.DEVNULL)
            self.models[name] = str(model)
            self.options[name] = ["--device", str(profile), "--cloud", str(profile)]
            calibration = calibrations / f"{name}.json"
            if calibration.exists():
                self.options[name] += ["--calibration", str(calibration), "--require", "agreement=0.98"]

    def serve(self, over):
        cloud = subprocess.Popen(over.inside(over.cloud, [self.program, "serve", *self.models.values(), "--bind", f"tcp://{link.CLOUD}:5599", "--plain"]),
                                 stderr=subprocess.PIPE, text=True)
        for line in cloud.stderr:
            if "serving" in line:
                return cloud
        raise RuntimeError("narrows serve did not start")

    def run(self, over, name, policy, objective, rate, rtt_s, slower):
        own = ["--policy", policy]
        if policy == "planned-once":
            own += ["--bandwidth", "10Mbit", "--rtt", f"{rtt_s * 1e3:g}ms"]
        if policy == ORACLE:
            own = ["--policy", "best", "--bandwidth", f"{rate:.0f}bit", "--rtt", f"{rtt_s * 1e3:g}ms"]
        command = [self.program, "run", self.models[name], str(PHOTOGRAPHS), "--limit", str(REQUESTS), "--connect", f"tcp://{link.CLOUD}:5599", "--plain",
                   "--objective", objective, "--in-flight", str(IN_FLIGHT[objective]), "--deadline", "120s", "--device-slower", str(slower),
                   "--slow-down", str(slower), "-o", "json", *own, *CODECS, *self.options[name]]
        done = subprocess.run(over.inside(over.edge, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{name}, {policy}: {done.stderr}")
        answer = json.loads(done.stdout)
        counted = answer["results"][LEARNT:]
        took = [r["latency_ms"]["total"] for r in counted]
        off = [abs(r["predicted_ms"] / r["latency_ms"]["total"] - 1) for r in counted if "predicted_ms" in r]
        plans = [json.dumps(r.get("plan", answer["plan"])) for r in counted]
        return {"ms": statistics.mean(took), "median_ms": statistics.median(took), "bytes": statistics.mean(r["bytes_sent"] for r in counted),
                "seconds": answer["summary"]["seconds"], "plan": max(set(plans), key=plans.count), "prediction_errors": off,
                "switches": sum(a != b for a, b in zip(plans, plans[1:]))}

    def simulated(self, name, policies, objective, rate, rtt_s, slower):
        """What simulation says of the same: mean latency and throughput of each policy."""
        known = [p for p in policies if p != ORACLE] + ["best"]
        command = [self.program, "simulate", self.models[name], "--trace", "constant", "--bandwidth", f"{rate:.0f}bit", "--rtt", f"{rtt_s * 1e3:g}ms", "--requests", "30",
                   "--for", "36000s", "--noise", "0", "--objective", objective, "--device-slower", str(slower), "--policy", ",".join(known), "--pixels", "-o", "json",
                   *CODECS, *self.options[name]]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)["policies"]
        return {ORACLE if row["policy"] == "best" else row["policy"]: row for row in told}


def key_of(point):
    return json.dumps([point[k] for k in ("network", "objective", "rate", "rtt_s", "slower")])


def measure(build, networks, calibrations, points, kept, policies=None):
    """Rows of all points: those in the file `kept`, and those that were not, which are added to it as they come."""
    policies = (policies or POLICIES) + [ORACLE]
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {key_of(r) for r in rows}
    bench = Bench(build, networks, calibrations, kept.parent)
    points = [p for p in points if key_of(p) not in done]
    if not points:
        return rows
    with link.Link(bench.shaper, 100e6, 0.001) as over:
        cloud = bench.serve(over)
        try:
            for i, p in enumerate(points):
                over.set(p["rate"], p["rtt_s"])
                began = time.monotonic()
                simulated = bench.simulated(p["network"], policies, p["objective"], p["rate"], p["rtt_s"], p["slower"])
                row = dict(p, policies={})
                for policy in policies:
                    live = bench.run(over, p["network"], policy, p["objective"], p["rate"], p["rtt_s"], p["slower"])
                    live["simulated_ms"] = simulated[policy]["mean_latency_ms"]
                    live["simulated_per_s"] = simulated[policy]["throughput_per_s"]
                    row["policies"][policy] = live
                rows.append(row)
                with kept.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(f"{i + 1}/{len(points)} {key_of(p)} {time.monotonic() - began:.0f} s: " +
                      ", ".join(f"{k} {v['ms']:.1f} ({v['simulated_ms']:.1f})" for k, v in row["policies"].items()), flush=True)
        finally:
            cloud.send_signal(signal.SIGTERM)
            cloud.wait(20)
    return rows


GRID = [dict(network=n, objective=o, rate=r, rtt_s=t, slower=s)
        for o in ("latency", "throughput") for s in (4, 1, 10) for t in (0.02, 0.001, 0.1) for r in (5e6, 20e6, 1e6, 100e6)
        for n in ("squeezenet1_1", "resnet18", "mobilenet_v2_1.0_224", "mcunet_144", "tiny_darknet")]


def value(objective, live):
    """Seconds per request, alone or in a pipeline."""
    return live["ms"] / 1e3 if objective == "latency" else live["seconds"] / REQUESTS


def section(rows):
    """Text for docs/measurements.md."""
    baselines = [p for p in POLICIES if p not in ("joint", "planned-once")]
    regrets, errors, apart, ratios, listed = [], [], [], {"latency": [], "throughput": []}, []
    table = "| network | objective | Mbit/s | round trip, ms | r | " + " | ".join(POLICIES + [ORACLE]) + " |\n| --- " * (5 + len(POLICIES) + 1) + "|\n"
    for row in rows:
        objective, all_of = row["objective"], row["policies"]
        took = {p: value(objective, v) for p, v in all_of.items()}
        regrets.append(max(0.0, 1 - took[ORACLE] / took["joint"]))
        errors += all_of["joint"]["prediction_errors"] if objective == "latency" else []
        if objective == "latency":
            apart += [abs(v["simulated_ms"] / v["ms"] - 1) for v in all_of.values()]
        best = min(baselines, key=took.get)
        ratios[objective].append(took[best] / took["joint"])
        where = f"{row['network']}, {objective}, {row['rate'] / 1e6:g} Mbit/s, {row['rtt_s'] * 1e3:g} ms, r = {row['slower']}"
        if ratios[objective][-1] < 0.95:
            listed.append(f"{where} ({ratios[objective][-1]:.2f}, {best})")
        table += (f"| {row['network']} | {objective} | {row['rate'] / 1e6:g} | {row['rtt_s'] * 1e3:g} | {row['slower']} | " +
                  " | ".join(f"{1e3 * took[p]:.1f}" for p in POLICIES + [ORACLE]) + " |\n")

    def at(values, share):
        return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")
    text = f"""## Policies, live

`narrows run` and `narrows serve` in two network namespaces of one machine, the link shaped by tools/evaluate/shaper.cpp; the device takes r times as long for its part, by
waiting (`--slow-down`). {len(rows)} points; {REQUESTS} photographs each, the first {LEARNT} not counted (they teach the link and the load). For throughput {IN_FLIGHT['throughput']} requests are under way at once, and the
whole run counts. `{ORACLE}` is the best candidate for the true link, which it was told. No picture files are sent. Made again by `tools/measure.py live`.

| figure | |
| --- | --- |
| ours against `{ORACLE}`, share of time lost: mean, 95 % | {statistics.mean(regrets):.1%}, {at(regrets, 0.95):.1%} |
| predicted latency of ours, error: median, 95 % | {statistics.median(errors):.1%}, {at(errors, 0.95):.1%} |
| simulated beside live latency, difference over all policies: median | {statistics.median(apart):.1%} |
"""
    for objective, found in ratios.items():
        if found:
            text += f"| {objective}: times as good as the best baseline: median, least, most | {statistics.median(found):.2f}, {min(found):.2f}, {max(found):.2f} |\n"
    text += f"\nMore than 5 % worse than the best baseline at {len(listed)} of {len(rows)} points"
    text += ": " + "; ".join(listed) + ".\n" if listed else ".\n"
    return text + "\nMilliseconds per request: of one alone (latency), or by the clock (throughput).\n\n" + table
