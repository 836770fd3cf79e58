// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#define NARROWS_VERSION_MAJOR 0
#define NARROWS_VERSION_MINOR 1
#define NARROWS_VERSION_PATCH 0
#define NARROWS_VERSION "0.1.0"
