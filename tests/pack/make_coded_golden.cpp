// SPDX-License-Identifier: BSD-3-Clause
// make_coded_golden FOLDER: writes streams of lz4, zstd and huffman that later decoders must read. What these libraries write may
// differ from version to version, so no test compares their output with these files: they are not to be made again.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <narrows/pack/codecs.hpp>

#include "golden_data.hpp"

int main(int argc, char** argv)
{
  using namespace narrows;
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_coded_golden FOLDER\n");
    return 2;
  }
  const shape dims{1, 10, 12, 11};
  const auto x = test::golden_values(dims.elements());
  for (const int bits : {2, 4, 8, 12})
    for (const codec c : {codec::lz4, codec::zstd, codec::huffman}) {
      const affine a{test::golden_affine(bits).scale, 0};
      const scale_map map{{&a, 1}, 1};
      std::vector<std::uint8_t> out(4 * x.size());
      const auto size = c == codec::lz4    ? quantize_pack_lz4(x, map, bits, out)
                        : c == codec::zstd ? quantize_pack_zstd(x, map, bits, out)
                                           : quantize_pack_huffman(x, map, bits, out);
      std::ofstream file(
        std::string(argv[1]) + "/" + test::golden_name(bits, dims) + "." + std::string(to_string(c)), std::ios::binary);
      if (size) file.write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(*size));
      if (!size || !file.good()) {
        std::fprintf(stderr, "make_coded_golden: u%d as %s could not be written\n", bits, std::string(to_string(c)).c_str());
        return 1;
      }
    }
  return 0;
}
