# Fails if OBJECT defines an inline function of narrows whose symbol does not name the flags that it was compiled with. (The
# destructors that a compiler adds to types are let through: types are shared.)
execute_process(COMMAND ${NM} --defined-only ${OBJECT} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "W _ZNK?7narrows[A-Za-z0-9_]*" shared "${symbols}")
list(FILTER shared EXCLUDE REGEX "flags_|D[012]Ev$")
if(shared)
  list(JOIN shared "\n" shared)
  message(FATAL_ERROR "inline functions that units of other flags would share:\n${shared}")
endif()
