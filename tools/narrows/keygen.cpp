// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <narrows/net/security.hpp>

#include "command.hpp"

namespace narrows::tool {

namespace {

struct keygen_options {
  std::string file;
};

exit_code keygen(const keygen_options& options)
{
  const auto keys = make_curve_keys();
  if (!keys) return report(keys.error());
  if (auto done = write_curve_keys(options.file, *keys); !done) return report(done.error(), "name a new file; an old key is never overwritten");
  fmt::print("{}\n", keys->public_key);   // what the other side's --allow or --server-key wants
  return exit_code::ok;
}

}  // namespace

void add_keygen(CLI::App& program, action& chosen)
{
  auto options = std::make_shared<keygen_options>();
  auto* app = add_command(program, chosen, "keygen", "Make a CURVE key pair: a new file of mode 0600; the public key is printed", options, keygen);
  app->add_option("FILE", options->file, "where to write the pair")->required()->type_name("");
}

}  // namespace narrows::tool
