# narrows_link_protobuf(COMPONENT target include_root inner/x.proto): generates x.pb.{h,cc} into the build tree, where
# #include <inner/x.pb.h> finds it, compiles them with hidden visibility into a small static library, and links `target`
# to it. This happens in the build of whoever uses narrows, since generated code must match the Protobuf library it
# meets; the build and the installed package config both read this file.
function(narrows_link_protobuf component target include_root proto)
  set(library narrows_${component}_proto)
  if(NOT TARGET ${library})
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/narrows_proto)
    cmake_path(REMOVE_EXTENSION proto OUTPUT_VARIABLE stem)
    cmake_path(GET proto PARENT_PATH inner)
    file(MAKE_DIRECTORY ${generated}/${inner})
    add_custom_command(OUTPUT ${generated}/${stem}.pb.cc ${generated}/${stem}.pb.h
      COMMAND protobuf::protoc --cpp_out=${generated} -I ${include_root} ${include_root}/${proto}
      DEPENDS ${include_root}/${proto} VERBATIM)
    add_library(${library} STATIC ${generated}/${stem}.pb.cc ${generated}/${stem}.pb.h)
    set_target_properties(${library} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
    target_include_directories(${library} SYSTEM PUBLIC ${generated})
    target_link_libraries(${library} PUBLIC protobuf::libprotobuf-lite)
    target_compile_features(${library} PUBLIC cxx_std_17)
  endif()
  target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:${library}>)
endfunction()
