// How an input too large for one run is cut into overlapping tiles, and how their logits are joined.
#pragma once

#include <cstdint>
#include <vector>

#include "imaging/image.h"
#include "networks/graph.h"

namespace terrapin::inference {

// One axis. Origins are multiples of the alignment, so that the tiles' logits lie on the whole's grid.
struct TileSpan {
  std::int64_t origin = 0, size = 0;       // pixels of the network's input
  std::int64_t first_cell = 0, cells = 0;  // places of the logits
  std::vector<float> weights;              // by cell; the weights of all tiles at one cell sum to 1
};

struct TileAxisOptions {
  std::int64_t total = 0;         // pixels
  std::int64_t tile = 0;          // largest tile, pixels
  std::int64_t overlap = 0;       // wanted between neighbours, pixels; at most half a tile is used
  std::int64_t alignment = 16;    // of origins
  std::int64_t size_offset = 0;   // tile sizes are multiples of the alignment plus this
  std::int64_t cell_stride = 16;  // input pixels between two places of the logits; divides the alignment
  std::int64_t total_cells = 0;   // of the whole
};
// Neighbouring tiles share `overlap`; the outer third of a shared stretch, which a tile's cut edge may have
// changed, counts nothing; between the two a cosine ramp leads from one to the other. At least one tile;
// every cell is covered.
std::vector<TileSpan> cut_axis(const TileAxisOptions& options);

// Tile sides for an input of `total` so that a tile has at most `max_pixels`.
imaging::Size tile_size(imaging::Size total, std::int64_t max_pixels, std::int64_t alignment,
                        std::int64_t size_offset);

}  // namespace terrapin::inference
