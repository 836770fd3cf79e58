# SPDX-License-Identifier: BSD-3-Clause
"""For tools/measure.py neon: what llvm-mca's models of two ARM cores make of the NEON kernels' inner loops. Emulated time says
nothing about them."""
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTHS = range(1, 17)
CORES = {"neoverse-n1": "Neoverse N1", "cortex-a55": "Cortex-A55"}
COMPILERS = {"g++": ["aarch64-linux-gnu-g++"], "clang++": ["clang++-14", "--target=aarch64-linux-gnu"]}
# What each operation is called in the source, the instruction that it has once per four values, and how many quick loops there
# are: packing has one for zero = 0 and one for any. A slower one, for values that are not finite or far outside the levels, may
# follow, inlined or not.
OPERATIONS = {"quantize_pack": ("Quantise and pack: zero = 0 / any zero", r"fcvt[a-z]+", 2), "unpack_dequantize": ("Unpack and dequantise", r"fmul", 1)}
SOURCE = """#include <narrows/pack/kernel/neon64.hpp>
namespace narrows {
#define INSTANTIATE(B) \\
  template bool kernel::neon64::quantize_pack<B>(const float*, std::size_t, const quantizer&, std::uint8_t*) noexcept; \\
  template void kernel::neon64::unpack_dequantize<B>(const std::uint8_t*, std::size_t, const affine&, float*) noexcept;
"""


def run(command, text=None):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, input=text).stdout


def newest_mca():
    """llvm-mca of the highest version there is; its models of cores differ from release to release."""
    for version in range(40, 10, -1):
        if found := shutil.which(f"llvm-mca-{version}"):
            return found, version
    raise OSError("there is no llvm-mca (apt-get install llvm-19)")


def assembly(compiler):
    source = SOURCE + "\n".join(f"INSTANTIATE({b})" for b in WIDTHS) + "\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "kernels.s"
        run([*COMPILERS[compiler], "-std=c++20", "-O3", "-DNDEBUG", "-S", "-x", "c++", "-I", str(ROOT / "include"), "-o", str(file), "-"], source)
        return file.read_text()


def function(text, name, width):
    """Labels and instructions of one kernel, a line each."""
    found = re.search(rf"^(_ZN\w*{len(name)}{name}ILi{width}E\w*):.*\n", text, re.M)
    body = text[found.end():].split(f"\t.size\t{found[1]},", 1)[0]
    lines = (re.sub(r"\s*//.*", "", line).strip() for line in body.splitlines())
    return [line for line in lines if line and (line.startswith(".L") or not line.startswith("."))]


def inner_loops(lines, marker):
    """Each run from a label to a branch back to it that holds the marker and no other such run, with its number of markers: a
    kernel may have one that is quick and one for what needs care."""
    at = {line[:-1]: i for i, line in enumerate(lines) if line.endswith(":")}
    loops = []
    for i, line in enumerate(lines):
        target = re.match(r"(?:b|b\.?[a-z]{2}|cbn?z|tbn?z)\s.*?(\.L\w+)$", line)
        if target and at.get(target[1], i) < i:
            loops.append((at[target[1]], i))
    found = []
    for first, last in loops:
        body = [line for line in lines[first:last + 1] if not line.endswith(":")]
        marks = sum(bool(re.match(marker, line)) for line in body)
        if marks and not any(first <= a and b <= last for a, b in loops if (a, b) != (first, last)):
            found.append((body, marks))
    if not found:
        raise OSError("no loop found in the assembly")
    return found


def cycles(mca, core, body):
    """Cycles per pass through the loop in the model, once it is under way."""
    listing = "\n".join(body) + "\n"
    total = []
    for passes in (100, 300):
        answer = run([mca, "-mtriple=aarch64", f"-mcpu={core}", f"-iterations={passes}", "-instruction-info=0", "-resource-pressure=0"], listing)
        total.append(int(re.search(r"^Total Cycles:\s+(\d+)", answer, re.M)[1]))
    return (total[1] - total[0]) / 200


def estimates(mca, compiler):
    """(operation, core, width) -> cycles per 16 values of each quick loop, fewest first"""
    text = assembly(compiler)
    found = {}
    for operation, (_, marker, quick) in OPERATIONS.items():
        for width in WIDTHS:
            loops = inner_loops(function(text, operation, width), marker)
            for core in CORES:
                found[operation, core, width] = sorted(cycles(mca, core, body) * 4 / marks for body, marks in loops)[:quick]
    return found


def neon(_how):
    mca, version = newest_mca()
    compilers = {name: run([*command, "--version"]).splitlines()[0] for name, command in COMPILERS.items() if shutil.which(command[0])}
    if not compilers:
        raise OSError("there is no compiler for AArch64 (tools/setup --more)")
    by_compiler = {name: estimates(mca, name) for name in compilers}
    text = f"""## Static estimates for NEON

Cycles per 16 values by width in bits, of each inner loop of a kernel as llvm-mca {version} models two cores: everything in the first cache,
every branch foreseen. Estimates, not measurements. Compiled with -O3 by {"; ".join(compilers.values())}.
Made again by `tools/measure.py neon`.
"""
    for operation, (title, _, _) in OPERATIONS.items():
        text += f"\n### {title}\n\n| | " + " | ".join(map(str, WIDTHS)) + " |\n| --- |" + " --- |" * len(WIDTHS) + "\n"
        for core, core_title in CORES.items():
            for name, found in by_compiler.items():
                text += f"| {core_title}, {name} | " + " | ".join(
                    " / ".join(f"{each:.1f}" for each in found[operation, core, w]) for w in WIDTHS) + " |\n"
    return text
