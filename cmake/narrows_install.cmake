# Installs headers, .proto files and the package config: find_package(narrows COMPONENTS pack onnx ...). Every file is
# installed whatever NARROWS_COMPONENTS says, since the files are the same; a component's targets are defined in the
# build of whoever asks for it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/narrows)

foreach(component IN LISTS narrows_components)
  target_include_directories(narrows_${component} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  install(TARGETS narrows_${component} EXPORT narrows-${component})
  install(EXPORT narrows-${component} NAMESPACE narrows:: DESTINATION ${package_dir}
    FILE narrows-${component}-targets.cmake)
endforeach()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/narrows DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.proto")

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/narrows-config.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/narrows-config.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/narrows-config-version.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/narrows-config.cmake
  ${PROJECT_BINARY_DIR}/cmake/narrows-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/narrows_dependencies.cmake
  ${PROJECT_SOURCE_DIR}/cmake/narrows_protobuf.cmake
  DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
