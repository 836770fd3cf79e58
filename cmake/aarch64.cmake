# Cross build for 64-bit ARM Linux with Debian's g++; tests run under qemu. The libraries lie in NARROWS_SYSROOT, a folder
# filled by tools/mksysroot.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(NARROWS_SYSROOT "" CACHE PATH "Folder made by tools/mksysroot arm64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NARROWS_SYSROOT)
if(NOT IS_DIRECTORY "${NARROWS_SYSROOT}/usr")
  message(FATAL_ERROR "No AArch64 libraries in '${NARROWS_SYSROOT}': run tools/mksysroot arm64 ${NARROWS_SYSROOT}")
endif()
set(CMAKE_SYSROOT ${NARROWS_SYSROOT})

# Libraries, headers and package configs come from the sysroot only; programs (protoc) from the host only. The host's
# protoc must be of the release of the sysroot's Protobuf library, which holds where both are of one Debian.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${NARROWS_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${NARROWS_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${NARROWS_SYSROOT}/usr/share/pkgconfig)

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;${NARROWS_SYSROOT})
