# One CMake target per folder, linked only to what it may see. tests/arrows/arrows.txt states the
# allowed arrows; the test of that name compares every #include with it.

find_program(TERRAPIN_CCACHE ccache)
if(TERRAPIN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${TERRAPIN_CCACHE})
endif()

add_library(terrapin_options INTERFACE)
target_include_directories(terrapin_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_options(terrapin_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror=return-type -fpch-preprocess)
target_compile_definitions(terrapin_options INTERFACE SPDLOG_FMT_EXTERNAL)
if(TERRAPIN_SANITIZE)
  target_compile_options(terrapin_options INTERFACE -fsanitize=${TERRAPIN_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(terrapin_options INTERFACE -fsanitize=${TERRAPIN_SANITIZE})
endif()

# The precompiled torch header, built once and reused by every target that lists `torch`.
function(terrapin_use_torch target)
  target_link_libraries(${target} PUBLIC terrapin_torch)
  if(NOT TARGET terrapin_torch_pch)
    file(WRITE "${CMAKE_BINARY_DIR}/torch_pch.cpp" "// Carries the precompiled header.\n")
    add_library(terrapin_torch_pch OBJECT "${CMAKE_BINARY_DIR}/torch_pch.cpp")
    target_link_libraries(terrapin_torch_pch PRIVATE terrapin_options terrapin_torch)
    target_precompile_headers(terrapin_torch_pch PRIVATE <torch/torch.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM terrapin_torch_pch)
endfunction()

# The precompiled headers of everything else: one for the libraries, one with GoogleTest's beside it for the tests. Made with -fPIC,
# which whatever uses them must be compiled with, too: the compiler rejects a header that was made with other options.
add_library(terrapin_common INTERFACE)
target_link_libraries(terrapin_common INTERFACE
  terrapin_options fmt::fmt spdlog::spdlog tl::expected nlohmann_json::nlohmann_json Threads::Threads)
function(terrapin_use_common target variant)
  set(header terrapin_${variant}_pch)
  if(NOT TARGET ${header})
    file(WRITE "${CMAKE_BINARY_DIR}/${header}.cpp" "// Carries the precompiled header.\n")
    add_library(${header} OBJECT "${CMAKE_BINARY_DIR}/${header}.cpp")
    target_link_libraries(${header} PRIVATE terrapin_common)
    target_precompile_headers(${header} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/common_pch.h")
    if(variant STREQUAL tests)
      target_link_libraries(${header} PRIVATE GTest::gtest GTest::gmock)
      target_precompile_headers(${header} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${header})
endfunction()

# terrapin_library(NAME [TORCH] [USES folder...] [LINK library...])
# Compiles src/NAME/**.cpp into target terrapin_NAME. USES names folders whose headers it includes.
function(terrapin_library name)
  cmake_parse_arguments(ARG "TORCH" "" "USES;LINK;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.cpp")
  foreach(pattern IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${pattern}")
  endforeach()
  if(NOT sources)
    file(WRITE "${CMAKE_BINARY_DIR}/empty_${name}.cpp" "// This folder has headers only so far.\n")
    set(sources "${CMAKE_BINARY_DIR}/empty_${name}.cpp")
  endif()
  add_library(terrapin_${name} STATIC ${sources})
  target_link_libraries(terrapin_${name} PUBLIC terrapin_options ${ARG_LINK})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(terrapin_${name} PUBLIC terrapin_${used})
  endforeach()
  if(ARG_TORCH)
    # Torch stays out of public headers where another folder must not see it: LINK is enough for
    # the archive, and the precompiled header serves this folder's own files.
    terrapin_use_torch(terrapin_${name})
  else()
    terrapin_use_common(terrapin_${name} libraries)
  endif()
endfunction()

# terrapin_test(NAME [TORCH] USES folder... [LINK library...])
# Compiles tests/<current folder>/*.cpp into one GoogleTest program registered with ctest.
function(terrapin_test name)
  cmake_parse_arguments(ARG "TORCH" "TIMEOUT" "USES;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  if(NOT sources)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE terrapin_options GTest::gtest GTest::gmock GTest::gtest_main ${ARG_LINK})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(${name} PRIVATE terrapin_${used})
  endforeach()
  # The precompiled header is made with -fPIC; a program's -fPIE would make the compiler reject it.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  if(ARG_TORCH)
    terrapin_use_torch(${name})
  else()
    terrapin_use_common(${name} tests)
  endif()
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(${name} PRIVATE TERRAPIN_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                             TERRAPIN_PROGRAM="${CMAKE_BINARY_DIR}/terrapin")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()
