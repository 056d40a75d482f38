// The void label has two names: the last class while answers are counted, 255 in every mask file. Inside
// labeling only.
#pragma once

#include "imaging/image.h"
#include "imaging/palette.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

// Both leave the masks of a job without a void label as they are.
void to_file_indices(const JobRow& job, imaging::Mask& mask);
void to_class_indices(const JobRow& job, imaging::Mask& mask);

// The colours of the job's mask files: those of the classes; with a void label its colour at 255.
imaging::Palette file_palette(const JobRow& job);

}  // namespace terrapin::labeling
