# cmake -DWEB=web -DOUT=folder -DNODE=node -P Pages.cmake
# Builds the browser's pages and puts them into one file, OUT/pages.pack (docs/formats/pages-pack.md). Without Node or the
# packages that script/setup brings, the file is empty and the program says so where the pages would be.
file(MAKE_DIRECTORY "${OUT}")
if(NODE AND EXISTS "${WEB}/node_modules/vite/package.json")
  execute_process(COMMAND "${NODE}" "${WEB}/build.mjs" --out "${OUT}/pages" RESULT_VARIABLE code OUTPUT_VARIABLE told ERROR_VARIABLE told)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "building the pages failed:\n${told}")
  endif()
  execute_process(COMMAND "${NODE}" "${WEB}/pack.mjs" "${OUT}/pages" "${OUT}/pages.pack" RESULT_VARIABLE code ERROR_VARIABLE told)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "packing the pages failed:\n${told}")
  endif()
else()
  message(WARNING "no Node, or web/node_modules is missing (script/setup brings both): the program will have no pages")
  file(WRITE "${OUT}/pages.pack" "")
endif()
