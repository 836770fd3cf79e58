# Installs the library, without its programs and tests, into STAGE/prefix, from nothing each time.
file(REMOVE_RECURSE ${STAGE}/prefix)
foreach(step
    "-G;Ninja;-S;${SOURCE};-B;${STAGE}/build;-DNARROWS_BUILD_TESTS=OFF;-DNARROWS_BUILD_TOOLS=OFF;-DNARROWS_BUILD_EXAMPLES=OFF;${COMPILERS}"
    "--install;${STAGE}/build;--prefix;${STAGE}/prefix")
  execute_process(COMMAND ${CMAKE_COMMAND} ${step} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endforeach()
# The package must not know where it was built.
file(GLOB_RECURSE configs ${STAGE}/prefix/share/cmake/narrows/*.cmake)
foreach(config IN LISTS configs)
  file(READ ${config} text)
  string(FIND "${text}" "${SOURCE}" found)
  if(NOT found EQUAL -1)
    message(FATAL_ERROR "${config} names the source folder")
  endif()
endforeach()
