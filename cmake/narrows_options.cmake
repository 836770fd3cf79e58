# Warnings and helpers for this project's own code. Users who link narrows:: targets never inherit any of it.
set(CMAKE_CXX_EXTENSIONS OFF)
add_library(narrows_flags INTERFACE)
target_compile_features(narrows_flags INTERFACE cxx_std_20)
target_compile_options(narrows_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion
  # In one unit the functions of one source are outer names to the locals of the next.
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow>
  # GCC bug 105593: g++ 12's own AVX-512 headers warn about '__Y'; the flag is unknown to clang.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(NARROWS_WERROR)
  target_compile_options(narrows_flags INTERFACE -Werror)
endif()
if(NARROWS_SANITIZE)
  target_compile_options(narrows_flags INTERFACE -fsanitize=${NARROWS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(narrows_flags INTERFACE -fsanitize=${NARROWS_SANITIZE})
endif()

# All packing kernels take forty seconds to compile, in each translation unit that encodes. Our own programs and most tests
# share one copy (see pack/dispatch.hpp); what users build, and a test with OWN_KERNELS, has its own.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/narrows_kernels.cpp CONTENT [[
#include <narrows/pack/kernel/separate.hpp>
]])
add_library(narrows_kernels STATIC ${PROJECT_BINARY_DIR}/narrows_kernels.cpp)
set_target_properties(narrows_kernels PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(narrows_kernels PRIVATE narrows_flags narrows::pack)
target_compile_definitions(narrows_kernels INTERFACE NARROWS_SEPARATE_KERNELS)

add_library(narrows_development INTERFACE)
target_link_libraries(narrows_development INTERFACE narrows_flags narrows_kernels)

# narrows_add_test(NAME SOURCES a.cpp... [LIBRARIES t...] [OPTIONS flag...] [TIMEOUT seconds] [LABELS l...]
#   [OWN_KERNELS] [LIGHT])
# One executable of GoogleTest cases; ctest counts each case and each skip. LIGHT compiles with NARROWS_LIGHT: kernels and executor modules are
# libraries of their own, so what is left is run once, and compiling it takes longer than running it.
set(NARROWS_LIGHT $<$<CONFIG:Release>:-O1>$<$<CONFIG:Debug>:-O0>)
function(narrows_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "OWN_KERNELS;LIGHT" "TIMEOUT" "SOURCES;LIBRARIES;OPTIONS;LABELS")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE $<IF:$<BOOL:${arg_OWN_KERNELS}>,narrows_flags,narrows_development> ${arg_LIBRARIES} GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_options(${name} PRIVATE $<$<BOOL:${arg_LIGHT}>:${NARROWS_LIGHT}> ${arg_OPTIONS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  # The folder of real models and photographs beside the checkout; tests say so and skip where it is absent.
  target_compile_definitions(${name} PRIVATE
    NARROWS_SHARED_DIR="${NARROWS_SHARED_DIR}" NARROWS_SOURCE_DIR="${PROJECT_SOURCE_DIR}" NARROWS_BINARY_DIR="${PROJECT_BINARY_DIR}")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
