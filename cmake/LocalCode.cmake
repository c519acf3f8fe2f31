# Flags and helpers shared by all targets.

add_library(localcode_flags INTERFACE)
# Missing field initialisers are the point of designated initialisers with defaults.
target_compile_options(localcode_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wswitch -Werror
                                                 -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives for these inside Boost and the standard library at -O2.
  target_compile_options(localcode_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
                                                   -Wno-array-bounds -Wno-stringop-overread -Wno-dangling-pointer
                                                   -Wno-mismatched-new-delete)
endif()
if(LOCALCODE_SANITIZE)
  # Before every target, so that everything is compiled and linked alike.
  add_compile_options(-fsanitize=${LOCALCODE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LOCALCODE_SANITIZE})
  if(LOCALCODE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # g++ warns of every fence, Asio has some
  endif()
  if(LOCALCODE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
if(LOCALCODE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# localcode_module(core/api DEPS base ... LIBS simdjson::simdjson ...)
# One static library of the folder's *.cpp, and one test program of its *_test.cpp. Include paths start at src/, but a
# module only links what it names, so that a wrong dependency does not link.
function(localcode_module folder)
  cmake_parse_arguments(M "" "" "DEPS;LIBS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(TRANSFORM M_DEPS PREPEND lc_)
  if(sources)
    add_library(lc_${name} STATIC ${sources})
    target_include_directories(lc_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_include_directories(lc_${name} SYSTEM PUBLIC ${EXPECTED_INCLUDE})
    target_link_libraries(lc_${name} PUBLIC ${M_DEPS} ${M_LIBS} PRIVATE localcode_flags)
  else()
    add_library(lc_${name} INTERFACE)
    target_include_directories(lc_${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
    target_include_directories(lc_${name} SYSTEM INTERFACE ${EXPECTED_INCLUDE})
    target_link_libraries(lc_${name} INTERFACE ${M_DEPS} ${M_LIBS})
  endif()
  if(tests AND LOCALCODE_TESTS)
    add_executable(test_${name} ${tests})
    target_link_libraries(test_${name} PRIVATE lc_${name} localcode_flags GTest::gtest GTest::gtest_main)
    add_test(NAME ${folder} COMMAND test_${name})
    # ccache makes __FILE__ relative to the build folder: tests that read files beside their sources start there.
    set_tests_properties(${folder} PROPERTIES LABELS unit TIMEOUT 300 WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  endif()
endfunction()
