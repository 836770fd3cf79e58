# narrows_link_protobuf(COMPONENT path/to/x.proto): generates x.pb.{h,cc} into the build tree, as
# <narrows/.../x.pb.h>, compiles them with hidden visibility into a small static library and links the component to it.
# Generated in the build of whoever uses narrows, since generated code must match the Protobuf library it meets.
function(narrows_link_protobuf component proto)
  set(target narrows_${component}_proto)
  if(NOT TARGET ${target})
    cmake_path(GET proto STEM stem)
    cmake_path(GET proto PARENT_PATH folder)
    set(root ${PROJECT_BINARY_DIR}/proto)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY include OUTPUT_VARIABLE inner)
    set(out ${root}/${inner}/${stem}.pb)
    file(MAKE_DIRECTORY ${root}/${inner})
    add_custom_command(OUTPUT ${out}.cc ${out}.h
      COMMAND protobuf::protoc --cpp_out=${root} -I ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/${proto}
      DEPENDS ${PROJECT_SOURCE_DIR}/${proto} VERBATIM)
    add_library(${target} STATIC ${out}.cc ${out}.h)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
    target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${root}>)
    target_link_libraries(${target} PUBLIC protobuf::libprotobuf-lite)
    target_compile_features(${target} PUBLIC cxx_std_17)
  endif()
  target_link_libraries(narrows_${component} INTERFACE $<BUILD_INTERFACE:${target}>)
endfunction()
