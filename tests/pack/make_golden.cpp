// SPDX-License-Identifier: BSD-3-Clause
// make_golden FOLDER: writes the golden streams of every width and shape, as the reference makes them.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <narrows/pack/reference.hpp>
#include <narrows/pack/reference_rans.hpp>
#include <narrows/pack/reference_runs.hpp>

#include "golden_data.hpp"

namespace {

bool write(const std::string& path, std::span<const std::uint8_t> bytes)
{
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return file.good();
}

}  // namespace

int main(int argc, char** argv)
{
  using namespace narrows;
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_golden FOLDER\n");
    return 2;
  }
  const std::string folder = std::string(argv[1]) + "/";
  for (int bits = min_width; bits <= max_width; ++bits)
    for (const auto& dims : test::golden_shapes) {
      const auto x = test::golden_values(dims.elements());
      std::vector<std::uint8_t> dense(packed_bytes(x.size(), bits));
      static_cast<void>(reference::quantize_pack(x, test::golden_affine(bits), bits, dense));
      std::vector<std::uint16_t> codes(x.size());
      std::vector<std::uint16_t> scratch(x.size());
      // Zero point 0: negative values and zeros become code 0, as after a ReLU.
      static_cast<void>(reference::quantize(std::span<const float>(x), {test::golden_affine(bits).scale, 0}, bits, std::span(codes)));
      std::vector<std::uint8_t> sparse(reference::mask_bytes(x.size()) + dense.size());
      sparse.resize(reference::pack_sparse(std::span<const std::uint16_t>(codes), bits, std::span(scratch), sparse));
      std::vector<std::uint8_t> runs(16384);   // no shape has more than a block
      runs.resize(reference::pack_runs_block(std::span<const std::uint16_t>(codes), bits, std::span(runs)));
      std::vector<std::uint8_t> rans(2 * dense.size() + 400);  // more than any of these needs
      const auto rans_bytes = reference::pack_rans(std::span<const std::uint16_t>(codes), bits, std::span(rans));
      rans.resize(rans_bytes ? *rans_bytes : 0);
      const std::string path = folder + test::golden_name(bits, dims);
      if (!write(path + ".dense", dense) || !write(path + ".sparse", sparse) || !write(path + ".runs", runs) || !write(path + ".rans", rans)) {
        std::fprintf(stderr, "make_golden: %s could not be written\n", path.c_str());
        return 1;
      }
    }
  return 0;
}
