# cmake -DINPUT=file -DOUTPUT=file.cpp -DNAME=namespace::function -P EmbedText.cmake
# Writes a function that returns the text of INPUT, as a raw string literal.
file(READ "${INPUT}" text)
string(FIND "${text}" ")embedded\"" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${INPUT} holds the characters that end the raw string literal")
endif()
string(REGEX MATCH "[^:]+$" function "${NAME}")
string(REGEX REPLACE "::[^:]+$" "" namespace "${NAME}")
file(WRITE "${OUTPUT}"
  "// Made from ${INPUT} by EmbedText.cmake.\n#include <string_view>\n\nnamespace ${namespace} {\n"
  "std::string_view ${function}() {\n  static constexpr std::string_view kText = R\"embedded(${text})embedded\";\n"
  "  return kText;\n}\n}  // namespace ${namespace}\n")
