// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/exec/executor.hpp>
#include <narrows/version.hpp>

/// What a program and an executor module must agree on before C++ objects pass between them: the headers (by version)
/// and the compiler that laid the objects out.
namespace narrows::module_abi {

#define NARROWS_MODULE_TEXT_(x) #x
#define NARROWS_MODULE_TEXT(x) NARROWS_MODULE_TEXT_(x)
#if defined(__clang__)
#  define NARROWS_MODULE_COMPILER "clang " NARROWS_MODULE_TEXT(__clang_major__)
#else
#  define NARROWS_MODULE_COMPILER "g++ " NARROWS_MODULE_TEXT(__GNUC__)
#endif
#if defined(_GLIBCXX_DEBUG)
#  define NARROWS_MODULE_LIBRARY " debug"
#else
#  define NARROWS_MODULE_LIBRARY ""
#endif

inline constexpr const char* tag = "narrows " NARROWS_VERSION ", " NARROWS_MODULE_COMPILER NARROWS_MODULE_LIBRARY;
inline constexpr const char* symbol = "narrows_exec_module";

#undef NARROWS_MODULE_LIBRARY
#undef NARROWS_MODULE_COMPILER
#undef NARROWS_MODULE_TEXT
#undef NARROWS_MODULE_TEXT_

/// The one symbol a module exports, with C linkage. Returns a new engine, or null if `program_tag` is not the module's
/// own; `own_tag` is set to that in either case.
using entry_point = any_engine::interface*(const char* program_tag, const char** own_tag);

}  // namespace narrows::module_abi
