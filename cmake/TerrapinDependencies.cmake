# Every outside library in one place. The core (training and prediction) needs the first block only;
# what is missing from the second block switches the named feature off, with a message.

find_package(Threads REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)

# libtorch's own CMake files ask for things the library does not need at link time (MKL, Caffe2
# protobuf); its include path and libraries are enough. A libtorch archive unpacked elsewhere
# (2.x, CUDA) is chosen with -DCMAKE_PREFIX_PATH=/path/to/libtorch.
find_package(Torch QUIET)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "libtorch was not found. Run script/setup, or pass "
                      "-DCMAKE_PREFIX_PATH=<folder of an unpacked libtorch>.")
endif()

find_package(WebP QUIET)
if(NOT WebP_FOUND)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(WEBP QUIET IMPORTED_TARGET libwebp)
  endif()
endif()
if(TARGET PkgConfig::WEBP OR TARGET WebP::webp)
  set(TERRAPIN_WITH_WEBP ON)
else()
  set(TERRAPIN_WITH_WEBP OFF)
  message(STATUS "libwebp not found: WebP photos will be refused with a message")
endif()

# oneDNN's own CMake file in Debian insists on OpenCL headers that its CPU engine never needs.
find_library(DNNL_LIBRARY dnnl)
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
if(DNNL_LIBRARY AND DNNL_INCLUDE_DIR)
  set(TERRAPIN_WITH_ONEDNN ON)
  add_library(terrapin_dnnl INTERFACE)
  target_link_libraries(terrapin_dnnl INTERFACE ${DNNL_LIBRARY})
  target_include_directories(terrapin_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
else()
  set(TERRAPIN_WITH_ONEDNN OFF)
  message(STATUS "oneDNN not found: prediction on CPU runs through libtorch, slower")
endif()

if(TERRAPIN_SERVING)
  find_package(Boost 1.74 QUIET)
  find_package(Protobuf QUIET)
  if(NOT Boost_FOUND OR NOT Protobuf_FOUND)
    set(TERRAPIN_SERVING OFF)
    message(STATUS "Boost or protobuf not found: `terrapin host` and `terrapin export` are left out")
  endif()
endif()

if(TERRAPIN_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()

# libtorch as one system target with a precompiled header: a file that includes torch takes 20 s to
# compile without it. Targets that list `torch` reuse the header (see TerrapinTargets.cmake).
add_library(terrapin_torch INTERFACE)
target_include_directories(terrapin_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(terrapin_torch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(TERRAPIN_TORCH_FLAGS UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(terrapin_torch INTERFACE ${TERRAPIN_TORCH_FLAGS})
