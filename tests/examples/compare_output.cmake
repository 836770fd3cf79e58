# cmake -DPROGRAM=command;arguments -DEXPECTED=file -P compare_output.cmake
# Runs a program; fails unless it ends with 0 and prints exactly what the file holds.
cmake_minimum_required(VERSION 3.22)  # a script has no policies but those it asks for
list(REMOVE_ITEM PROGRAM "")
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE printed RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${code}")
endif()
file(READ ${EXPECTED} expected)
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "output differs from ${EXPECTED}; it is now:\n${printed}")
endif()
