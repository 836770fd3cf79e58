# SPDX-License-Identifier: BSD-3-Clause
"""Conan 2 recipe: `conan create . -s compiler.cppstd=20` makes the package from this checkout.

narrows::pack and narrows::narrows are always there; each option adds the component of its name, with what that needs.
"""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

required_conan_version = ">=2.0"

# What a component includes beyond those it is built on; versions are those that the project's tests run with.
NEEDS = {
    "exec": ["xtensor/[>=0.24.3 <0.26]"],
    "json": ["nlohmann_json/[>=3.11 <4]"],
    "onnx": ["protobuf/[>=3.21.9 <4]"],
    "wire": ["protobuf/[>=3.21.9 <4]"],
    "net": ["protobuf/[>=3.21.9 <4]", "cppzmq/[>=4.9 <5]"],
}


class Narrows(ConanFile):
    name = "narrows"
    description = "Quantises and bit-packs the activations of a CNN that is cut in two, and runs both halves"
    license = "BSD-3-Clause"
    topics = ("quantization", "bit-packing", "simd", "cnn", "split-computing", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {component: [True, False] for component in NEEDS}
    default_options = {component: False for component in NEEDS}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*"
    no_copy_source = True

    def set_version(self):
        project = load(self, os.path.join(self.recipe_folder, "CMakeLists.txt"))
        self.version = re.search(r"project\(narrows VERSION ([0-9.]+)", project)[1]

    def layout(self):
        cmake_layout(self)

    def _chosen(self):
        return [component for component in NEEDS if self.options.get_safe(component)]

    def requirements(self):
        self.requires("xsimd/[>=8.1 <9]", transitive_headers=True)
        for needed in sorted({needed for component in self._chosen() for needed in NEEDS[component]}):
            self.requires(needed, transitive_headers=True)

    def package_id(self):
        # Headers and CMake files are the same for every compiler and dependency; which components can be found is not the
        # same for every choice of options, so those stay.
        self.info.settings.clear()
        self.info.requires.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["NARROWS_COMPONENTS"] = ";".join(["pack", "narrows", *self._chosen()])
        for part in ("TESTS", "TOOLS", "EXAMPLES", "BENCH"):
            toolchain.cache_variables[f"NARROWS_BUILD_{part}"] = "OFF"
        toolchain.generate()

    def build(self):
        CMake(self).configure()   # finds what is installed, and compiles nothing

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # Our own package config, which has components, rather than a generated one that would not know them. It finds the
        # dependencies by name, so that those of a system do as well as Conan's.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "narrows")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
