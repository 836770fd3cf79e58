// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// NARROWS_EXPECTS(condition): a precondition of the caller's program, never a check of outside data.
/// Broken, it stops a debug build with the place; in a release build (NDEBUG) it costs nothing. In constant
/// evaluation a broken precondition is a compile error in either build.
#if defined(NDEBUG)
#  define NARROWS_EXPECTS(condition) static_cast<void>(sizeof((condition) ? 1 : 0))
#else
#  include <cassert>
#  define NARROWS_EXPECTS(condition) assert(condition)
#endif
