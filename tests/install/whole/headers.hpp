// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <narrows/exec/reference/engine.hpp>
#include <narrows/narrows.hpp>
#include <narrows/net/client.hpp>
#include <narrows/net/server.hpp>
#include <narrows/onnx/export.hpp>
#include <narrows/onnx/import.hpp>
#include <narrows/pack/codecs.hpp>

const char* level();
