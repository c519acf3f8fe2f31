# Run while installing: LOCALCODE_PROGRAM makes the files that are installed next, into LOCALCODE_MADE.
function(localcode_make output)
  execute_process(COMMAND ${LOCALCODE_PROGRAM} ${ARGN} OUTPUT_FILE ${LOCALCODE_MADE}/${output} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "'${LOCALCODE_PROGRAM} ${ARGN}' failed: ${result}")
  endif()
endfunction()

file(MAKE_DIRECTORY ${LOCALCODE_MADE})
foreach(shell bash zsh fish)
  localcode_make(localcode.${shell} completions ${shell})
endforeach()
localcode_make(localcode.1 man-page)

get_filename_component(LOCALCODE_BINDIR "${CMAKE_INSTALL_PREFIX}/bin" ABSOLUTE)
# '%' begins a specifier in a unit.
string(REPLACE "%" "%%" LOCALCODE_BINDIR "${LOCALCODE_BINDIR}")
configure_file(${LOCALCODE_UNIT} ${LOCALCODE_MADE}/localcode.service @ONLY)
