# SPDX-License-Identifier: BSD-3-Clause
"""For tools/measure.py compile: what including the library costs a translation unit."""
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILERS = ["g++", "clang++-14"]
REPETITIONS = 3   # or one, of what takes long
LONG = 5
BASE = "#include <span>\n#include <vector>\n"
# What a unit does, and the unit.
UNITS = {
    "nothing; includes `pack.hpp`": "#include <narrows/pack/pack.hpp>\n",
    "`pack<4>`": """#include <narrows/pack/pack.hpp>
void f(std::span<const std::uint8_t> codes, std::span<std::uint8_t> out) { narrows::pack<4>(codes, out); }
""",
    "`quantize_pack<4>`": """#include <narrows/pack/quantize.hpp>
bool f(std::span<const float> x, const narrows::affine& a, std::span<std::uint8_t> out) { return narrows::quantize_pack<4>(x, a, out); }
""",
    "`pack` of a width known at run time": """#include <narrows/pack/pack.hpp>
narrows::errc f(std::span<const std::uint8_t> codes, int bits, std::span<std::uint8_t> out) { return narrows::pack(codes, bits, out); }
""",
    "`encode` and `decode`": """#include <narrows/pack/packed_tensor.hpp>
using namespace narrows;
auto f(tensor_view x, const coding& how, aligned_vector<std::uint8_t>& to) { return encode(x, how, to); }
auto g(const descriptor& d, std::span<const std::uint8_t> from, std::span<float> out) { return decode(d, from, out); }
""",
    "`encode` and `decode`, kernels in a unit of their own": """#define NARROWS_SEPARATE_KERNELS
#include <narrows/pack/packed_tensor.hpp>
using namespace narrows;
auto f(tensor_view x, const coding& how, aligned_vector<std::uint8_t>& to) { return encode(x, how, to); }
auto g(const descriptor& d, std::span<const std::uint8_t> from, std::span<float> out) { return decode(d, from, out); }
""",
}


def processor_seconds(compiler, source, folder):
    """Least processor time of a compiler for one unit at -O2; other programs of the machine hardly change it."""
    file = pathlib.Path(folder) / "unit.cpp"
    file.write_text(BASE + source)
    least = float("inf")
    # A compiler behind a link to a cache would be measured by what the cache holds.
    environment = dict(os.environ, CCACHE_DISABLE="1")
    for _ in range(REPETITIONS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([compiler, "-std=c++20", "-O2", "-c", str(file), "-I", str(ROOT / "include"), "-o", str(file.with_suffix(".o"))],
                       check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if least > LONG:
            break
    return least


def compile_time(_how):
    compilers = [name for name in COMPILERS if shutil.which(name)]
    versions = [subprocess.run([name, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0] for name in compilers]
    text = f"""## Compile time

Processor seconds that a translation unit takes at -O2 beyond one that includes `<span>` and `<vector>` alone, the least of {REPETITIONS} runs (of one where
it is more than {LONG}).
{"; ".join(versions)}. Made again by `tools/measure.py compile`.

| the unit does | {" | ".join(compilers)} |
| --- |{" --- |" * len(compilers)}
"""
    with tempfile.TemporaryDirectory() as folder:
        base = [processor_seconds(compiler, "", folder) for compiler in compilers]
        for title, source in UNITS.items():
            beyond = [processor_seconds(compiler, source, folder) - least for compiler, least in zip(compilers, base)]
            text += f"| {title} | " + " | ".join(f"{seconds:.1f}" for seconds in beyond) + " |\n"
        text += "| (`<span>` and `<vector>` alone) | " + " | ".join(f"{seconds:.1f}" for seconds in base) + " |\n"
    return text
