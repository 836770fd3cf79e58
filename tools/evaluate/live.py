# SPDX-License-Identifier: BSD-3-Clause
"""Every policy over real processes and a shaped link: what they took, beside what `narrows simulate` said they would.

Device and cloud are `narrows run` and `narrows serve` in two network namespaces of this machine. Either waits after each run of its part until that has
taken what a profile says, so that other work on the machine does not decide between policies: the profile's times are stretched, and a slower device's once more.
(A quota of processor time was tried: its slices scatter the same plan by a fifth.) Each row is all policies at one point; rows are kept in a file, and a point that is
in it is not measured again.
"""
import contextlib
import json
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time

import link

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PHOTOGRAPHS = ROOT.parent / "shared/images/photos"
MODELS = ROOT.parent / "shared/models/imagenet"
POLICIES = ["joint", "device-only", "cloud-only", "neurosurgeon", "dads", "spinn", "jalad", "planned-once"]
ORACLE = "told"          # the best candidate for the true link, which is told; it learns nothing and is not asked to
REQUESTS = {"latency": 24, "throughput": 84}
LEARNT = {"latency": 4, "throughput": 36}   # of which the first so many are not counted
STRETCH = 3               # how much slower both machines are made than this one
# The same for both; not the picture's file: what it is worth depends on the camera, not on the link.
CODECS = ["--codec", "raw,dense,sparse,runs,rans,lz4,huffman,pixels,predicted"]
IN_FLIGHT = {"latency": 1, "throughput": 24}   # as many as the longest round trip holds of the shortest periods


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


def stretched(profile):
    """The profile of a machine STRETCH times as slow at running nodes."""
    for times in [*profile["nodes"], profile["whole"]]:
        times.update({k: STRETCH * v for k, v in times.items() if k.endswith("_s")})
    return profile


class Bench:
    """Models with their MODEL.json, profiles and calibrations, and one cloud that serves them all."""

    def __init__(self, build, networks, profiles, calibrations, scratch):
        self.program, self.shaper = str(build / "bin/narrows"), str(build / "bin/narrows_shaper")
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.models, self.profiles, self.options = {}, {}, {}
        for name, preprocessing in networks.items():
            model = scratch / f"{name}.onnx"
            if not model.exists():
                model.symlink_to(MODELS / f"{name}.onnx")
            model.with_suffix(".json").write_text(json.dumps(words_of(preprocessing)))
            profile = scratch / f"{name}.profile.json"
            profile.write_text(json.dumps(stretched(json.loads((profiles / f"{name}.json").read_text()))))
            self.models[name], self.profiles[name] = str(model), str(profile)
            self.options[name] = ["--device", str(profile), "--cloud", str(profile)]
            calibration = calibrations / f"{name}.json"
            if calibration.exists():
                self.options[name] += ["--calibration", str(calibration), "--require", "agreement=0.98"]

    def _serve(self, over):
        cloud = subprocess.Popen(over.inside(over.cloud, [self.program, "serve", *self.models.values(), "--bind", f"tcp://{link.CLOUD}:5599", "--plain",
                                                           "--slow-down", "1", "--profile", *self.profiles.values()]),
                                 stderr=subprocess.PIPE, text=True)
        for line in cloud.stderr:
            if "serving" in line:
                return cloud
        raise RuntimeError("narrows serve did not start")

    @contextlib.contextmanager
    def serving(self):
        """A link with the cloud at its end; both are gone afterwards, whatever ends the program."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with link.Link(self.shaper, 100e6, 0.001) as over:
            cloud = self._serve(over)
            try:
                yield over
            finally:
                cloud.send_signal(signal.SIGTERM)
                cloud.wait(20)

    def command(self, name, policy, objective, rate, rtt_s, slower, requests):
        own = ["--policy", policy]
        if policy == "planned-once":
            own += ["--bandwidth", "10Mbit", "--rtt", f"{rtt_s * 1e3:g}ms"]
        if policy == ORACLE:
            own = ["--policy", "best", "--bandwidth", f"{rate:.0f}bit", "--rtt", f"{rtt_s * 1e3:g}ms"]
        return [self.program, "run", self.models[name], str(PHOTOGRAPHS), "--limit", str(requests), "--connect", f"tcp://{link.CLOUD}:5599", "--plain",
                "--objective", objective, "--in-flight", str(IN_FLIGHT[objective]), "--deadline", "120s", "--device-slower", str(slower),
                "--slow-down", str(slower), "-o", "json", *own, *CODECS, *self.options[name]]

    def answer(self, over, command, meanwhile=lambda: None):
        edge = subprocess.Popen(over.inside(over.edge, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        meanwhile()
        out, said = edge.communicate()
        if edge.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {said}")
        return json.loads(out)

    def run(self, over, name, policy, objective, rate, rtt_s, slower):
        answer = self.answer(over, self.command(name, policy, objective, rate, rtt_s, slower, REQUESTS[objective]))
        learnt = LEARNT[objective]
        counted = answer["results"][learnt:]
        took = [r["latency_ms"]["total"] for r in counted]
        off = [abs(r["predicted_ms"] / r["latency_ms"]["total"] - 1) for r in counted if r.get("predicted_ms")]
        plans = [json.dumps(r.get("plan", answer["plan"])) for r in counted]
        return {"ms": statistics.mean(took), "median_ms": statistics.median(took), "bytes": statistics.mean(r["bytes_sent"] for r in counted),
                "per_request_ms": (counted[-1]["finished_ms"] - answer["results"][learnt - 1]["finished_ms"]) / len(counted), "plan": max(set(plans), key=plans.count), "prediction_errors": off,
                "switches": sum(a != b for a, b in zip(plans, plans[1:]))}

    def simulated(self, name, policies, objective, rate, rtt_s, slower):
        """What simulation says of the same: mean latency and throughput of each policy."""
        known = [p for p in policies if p != ORACLE] + ["best"]
        command = [self.program, "simulate", self.models[name], "--trace", "constant", "--bandwidth", f"{rate:.0f}bit", "--rtt", f"{rtt_s * 1e3:g}ms", "--requests", str(REQUESTS[objective]),
                   "--for", "36000s", "--noise", "0", "--objective", objective, "--device-slower", str(slower), "--policy", ",".join(known), "--pixels", "-o", "json",
                   *CODECS, *self.options[name]]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)["policies"]
        return {ORACLE if row["policy"] == "best" else row["policy"]: row for row in told}


STEPS = [dict(network=n, rates=(20e6, high_low), rtt_s=0.02, slower=4)
         for n, high_low in (("squeezenet1_1", 1e6), ("resnet18", 2e6), ("mobilenet_v2_1.0_224", 1e6), ("tiny_darknet", 1e6))]
STEP_EVERY_S, STEP_REQUESTS = 6, 200


def plan_of(result):
    return json.dumps(result["plan"])


def step_row(bench, over, network, rates, rtt_s, slower):
    """A link that falls from one rate to another and comes back: what `joint` did, judged by the plans that are right (within 3 % of the best, live) at either rate."""
    good = {}
    for rate in rates:
        over.set(rate, rtt_s)
        told = bench.answer(over, bench.command(network, ORACLE, "latency", rate, rtt_s, slower, 12))
        good[rate] = (plan_of(told["results"][-1]), statistics.mean(r["latency_ms"]["total"] for r in told["results"][LEARNT["latency"]:]))
    moments = []

    def steps():
        for rate in (rates[1], rates[0]):
            time.sleep(STEP_EVERY_S)
            over.set(rate, rtt_s)
            moments.append(time.monotonic())

    over.set(rates[0], rtt_s)
    results = bench.answer(over, bench.command(network, "joint", "latency", rates[0], rtt_s, slower, STEP_REQUESTS), steps)["results"]
    began = time.monotonic() - results[-1]["finished_ms"] / 1e3
    down, up = (1e3 * (m - began) for m in moments)
    begun = [r["finished_ms"] - r["latency_ms"]["total"] for r in results]

    def right(of, rate, within):
        plan, best = good[rate]
        settled = [r["latency_ms"]["total"] for r, at in zip(results, begun) if within[0] <= at < within[1] and plan_of(r) == plan_of(of)]
        return plan_of(of) == plan or (settled and statistics.median(settled) <= 1.03 * best)

    low, high = (down, up), (up, float("inf"))
    wrong = 0
    for r, at in zip(results, begun):
        if r["finished_ms"] >= down and at < up:
            if right(r, rates[1], low):
                break
            wrong += 1
    later = [at for r, at in zip(results, begun) if at >= up and right(r, rates[0], high)]
    return dict(network=network, rates=rates, rtt_s=rtt_s, slower=slower, wrong_after_fall=wrong, right_after_rise_s=(later[0] - up) / 1e3 if later else None,
                best_ms=[good[r][1] for r in rates], requests=len(results))


def measure_steps(build, networks, profiles, calibrations, kept):
    """Rows of STEPS: those in the file `kept` if there is one, which is written else."""
    if kept.exists():
        return json.loads(kept.read_text())
    bench = Bench(build, networks, profiles, calibrations, kept.parent)
    rows = []
    with bench.serving() as over:
        for s in STEPS:
            rows.append(step_row(bench, over, **s))
            print(rows[-1], flush=True)
    kept.write_text(json.dumps(rows))
    return rows


def steps_text(rows):
    text = f"""
### Links that change, live

`joint` with one request at a time: after {STEP_EVERY_S} s the rate falls, after {STEP_EVERY_S} more it comes back; a plan is *right* where it is the one that `{ORACLE}` takes at that rate, or
within 3 % of it. *Answers by a wrong plan*: those that came after the fall and before the first request with a right one (the request under way at the fall is one of them).

| network | Mbit/s | round trip, ms | r | best before, ms | best after, ms | answers by a wrong plan | right again after the rise, s |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
    for row in rows:
        rise = "not within the run" if row["right_after_rise_s"] is None else f"{row['right_after_rise_s']:.2f}"
        text += (f"| {row['network']} | {row['rates'][0] / 1e6:g}, {row['rates'][1] / 1e6:g} | {row['rtt_s'] * 1e3:g} | {row['slower']} | {row['best_ms'][0]:.1f} | "
                 f"{row['best_ms'][1]:.1f} | {row['wrong_after_fall']} | {rise} |\n")
    return text


def key_of(point):
    return json.dumps([point[k] for k in ("network", "objective", "rate", "rtt_s", "slower")])


def measure(build, networks, profiles, calibrations, points, kept, policies=None):
    """Rows of all points: those in the file `kept`, and those that were not, which are added to it as they come."""
    policies = (policies or POLICIES) + [ORACLE]
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {key_of(r) for r in rows}
    bench = Bench(build, networks, profiles, calibrations, kept.parent)
    points = [p for p in points if key_of(p) not in done]
    if not points:
        return rows
    with bench.serving() as over:
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
    return rows


NETWORKS = ("squeezenet1_1", "resnet18", "mobilenet_v2_1.0_224", "mcunet_144", "tiny_darknet")


def grid():
    """Of every rate with every round trip and slow-down half for latency and a third for throughput, drawn by lot, with the networks in turn."""
    chance = random.Random(2022)
    conditions = [(r, t, s) for r in (1e6, 5e6, 20e6, 100e6) for t in (0.001, 0.02, 0.1) for s in (1, 4, 10)]
    points = []
    for objective, step in (("latency", 2), ("throughput", 3)):
        chance.shuffle(conditions)
        points += [dict(network=NETWORKS[i % len(NETWORKS)], objective=objective, rate=r, rtt_s=t, slower=s) for i, (r, t, s) in enumerate(conditions[::step])]
    chance.shuffle(points)
    return points


GRID = grid()


def value(objective, live):
    """Seconds per request, alone or in a pipeline."""
    return 1e-3 * live["ms" if objective == "latency" else "per_request_ms"]


def section(rows):
    """Text for docs/measurements.md."""
    baselines = [p for p in POLICIES if p not in ("joint", "planned-once")]
    regrets, errors, apart, ratios, listed = [], [], [], {"latency": [], "throughput": []}, []
    table = "| network | objective | Mbit/s | round trip, ms | r | " + " | ".join(POLICIES + [ORACLE]) + " |\n" + "| --- " * (5 + len(POLICIES) + 1) + "|\n"
    for row in rows:
        objective, all_of = row["objective"], row["policies"]
        took = {p: value(objective, v) for p, v in all_of.items()}
        regrets.append(max(0.0, 1 - took[ORACLE] / took["joint"]))
        errors += all_of["joint"]["prediction_errors"] if objective == "latency" else []
        simulated = {p: v["simulated_ms"] / 1e3 if objective == "latency" else 1 / v["simulated_per_s"] for p, v in all_of.items()}
        apart += [abs(simulated[p] / took[p] - 1) for p in all_of]
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

`narrows run` and `narrows serve` in two network namespaces of one machine, the link shaped by tools/evaluate/shaper.cpp; the server takes {STRETCH} times what the profile of
this machine says for its part, the device r times as much, both by waiting (`--slow-down`; networks really run, and so do codecs, transfers and queues, at the speed of this machine). {len(rows)} points. Latency: {REQUESTS['latency']} photographs
one after the other, the first {LEARNT['latency']} not counted (they teach the link and the load). Throughput: {REQUESTS['throughput']} photographs, {IN_FLIGHT['throughput']} under way at once, the first {LEARNT['throughput']} not counted.
TCP's windows begin at 512 segments and stay open. `{ORACLE}` is the best candidate for the true link, which it was told. No picture files are sent. Made again by `tools/measure.py live`.

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
