// SPDX-License-Identifier: BSD-3-Clause
// narrows_draw: writes drawn pictures as PNG files with labels, or as raw records for training.
#include "pictures.hpp"

#include <CLI/CLI.hpp>
#include <png.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {

namespace draw = narrows::draw;
namespace fs = std::filesystem;

void write_png(const fs::path& file, const draw::picture& pixels)
{
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = static_cast<png_uint_32>(draw::side);
  image.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, file.c_str(), 0, pixels.data(), 0, nullptr) == 0)
    throw std::runtime_error{"cannot write " + file.string() + ": " + image.message};
}

std::ofstream opened(const fs::path& file)
{
  std::ofstream stream{file, std::ios::binary};
  if (!stream) throw std::runtime_error{"cannot write " + file.string() + ": the file does not open"};
  return stream;
}

void closed(std::ofstream& stream, const fs::path& file)
{
  stream.close();
  if (!stream) throw std::runtime_error{"cannot write " + file.string() + ": the disk may be full"};
}

/// DIR/0000.png and so on, and DIR/labels.csv with the columns file and class_index.
void write_folder(const fs::path& folder, std::uint64_t seed, std::uint64_t count)
{
  fs::create_directories(folder);
  const fs::path labels_file = folder / "labels.csv";
  std::ofstream labels = opened(labels_file);
  labels << "file,class_index\n";
  const std::size_t digits = std::max<std::size_t>(4, std::to_string(count - 1).size());
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string name = std::to_string(i);
    name.insert(0, digits - name.size(), '0');
    name += ".png";
    const draw::labelled_picture one = draw::drawn(seed, i);
    write_png(folder / name, one.pixels);
    labels << name << ',' << one.class_index << '\n';
  }
  closed(labels, labels_file);
}

/// One record per picture: the class as one byte, then side x side x 3 bytes of interleaved RGB.
void write_records(const fs::path& file, std::uint64_t seed, std::uint64_t count)
{
  std::ofstream records = opened(file);
  for (std::uint64_t i = 0; i < count && records; ++i) {
    const draw::labelled_picture one = draw::drawn(seed, i);
    records.put(static_cast<char>(one.class_index));
    records.write(reinterpret_cast<const char*>(one.pixels.data()), static_cast<std::streamsize>(one.pixels.size()));
  }
  closed(records, file);
}

}  // namespace

int main(int argc, char** argv)
{
  CLI::App app{"Draws labelled 96 x 96 pictures of ten shapes. Equal options give equal pictures on every machine.",
               "narrows_draw"};
  std::uint64_t count = 20, seed = 1;
  std::string folder, raw;
  app.add_option("--count", count, "how many pictures")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--seed", seed, "which set of pictures; a longer set begins with the shorter one")
      ->capture_default_str();
  app.add_option("--out", folder, "folder for PNG files and labels.csv; made if absent");
  app.add_option("--raw", raw, "file of records: one label byte, then 27648 bytes of RGB");
  try {
    app.parse(argc, argv);
    if (folder.empty() && raw.empty()) throw CLI::RequiredError{"--out or --raw"};
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "narrows_draw: %s; narrows_draw --help lists the options\n", error.what());
    return 2;
  }
  try {
    if (!folder.empty()) write_folder(folder, seed, count);
    if (!raw.empty()) write_records(raw, seed, count);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "narrows_draw: %s\n", error.what());
    return 1;
  }
  return 0;
}
