// A corpus of broken datasets, each with the exact words a person reads. DIR stands for the dataset's folder.
#include <gtest/gtest.h>

#include <functional>

#include "artifacts/channels.h"
#include "dataset/transform.h"
#include "unit/dataset/dataset_fixture.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;
using artifacts::ClassList;

struct Case {
  const char* name;
  // Fills `folder`; returns the input.
  std::function<fs::path(const fs::path& folder)> build;
  // "kind: line N: file: message" of the first problem, or "error: message".
  const char* expected;
  std::function<void(TransformOptions&)> adjust = [](TransformOptions&) {};
};

// Five good lines after the given ones, which stand first.
fs::path manifest(const fs::path& folder, const std::string& bad_lines, int good = 5) {
  write_text(folder / "output.manifest", bad_lines + good_lines(folder, good));
  return folder / "output.manifest";
}

fs::path with_mask(const fs::path& folder, const std::function<void(const fs::path&)>& put) {
  put_photo(folder / "b.jpg", 250);
  put(folder / "b.png");
  return manifest(folder, manifest_line("b.jpg", "b.png"));
}

void plain_pairs(const fs::path& folder, int count) {
  for (int i = 0; i < count; ++i) {
    put_photo(folder / "images" / ("p" + std::to_string(i) + ".jpg"), i * 9);
    put_mask(folder / "masks" / ("p" + std::to_string(i) + ".png"));
  }
}

std::string read_back(const fs::path& path) {
  return *read_text_file(path);
}

const std::vector<Case> kCases = {
    {"missing_input", [](const fs::path& d) { return d / "nothing.manifest"; },
     "error: DIR/nothing.manifest: not found"},
    {"empty_manifest",
     [](const fs::path& d) {
       write_text(d / "output.manifest", "\n\n");
       return d / "output.manifest";
     },
     "error: DIR/output.manifest: the manifest has no lines"},
    {"unknown_folder_layout", [](const fs::path& d) { return d; },
     "error: DIR: not a dataset; known are a manifest file, a VOC folder (JPEGImages, SegmentationClass), a "
     "folder with images and masks, and channel folders (train, train_annotation, ...)"},
    {"already_channels",
     [](const fs::path& d) {
       put_photo(d / "train/a.jpg", 1);
       put_mask(d / "train_annotation/a.png");
       return d;
     },
     "error: DIR already holds training channels (train, train_annotation): nothing to transform; check it "
     "with `terrapin inspect DIR`"},
    {"no_label_attribute",
     [](const fs::path& d) {
       write_text(d / "output.manifest", "{\"source-ref\":\"a.jpg\"}\n");
       return d / "output.manifest";
     },
     "error: DIR/output.manifest: no line has a label attribute; one that ends in '-ref' beside 'source-ref' "
     "is needed"},
    {"several_label_attributes",
     [](const fs::path& d) {
       return manifest(d, manifest_line("a0.jpg", "m0.png", turtle_classes(), "other-ref"));
     },
     "error: DIR/output.manifest: several label attributes: 'job-ref' (5 lines), 'other-ref' (1 lines); "
     "choose one with --label-attribute"},
    {"unknown_label_attribute", [](const fs::path& d) { return manifest(d, ""); },
     "error: DIR/output.manifest: no line has the label attribute 'absent-ref'; there are: 'job-ref' (5 "
     "lines)",
     [](TransformOptions& o) { o.reading.attribute = "absent-ref"; }},
    {"class_index_out_of_range",
     [](const fs::path& d) {
       return manifest(
           d,
           "{\"source-ref\":\"a.jpg\",\"job-ref\":\"a.png\",\"job-ref-metadata\":{\"internal-color-map\":{"
           "\"300\":{\"class-name\":\"Far\",\"hex-color\":\"#010203\"}}}}\n");
     },
     "bad-line: line 1: key 'job-ref-metadata.internal-color-map' has the index '300', expected 0 to 254 (or "
     "255, ignore)"},
    {"line_is_not_json", [](const fs::path& d) { return manifest(d, "{\"source-ref\": oops\n"); },
     "bad-line: line 1: not valid JSON at byte 16"},
    {"line_has_no_source", [](const fs::path& d) { return manifest(d, "{\"job-ref\":\"m0.png\"}\n"); },
     "bad-line: line 1: key 'source-ref' is missing, expected where the photo lies"},
    {"line_is_too_long",
     [](const fs::path& d) {
       return manifest(d, "{\"source-ref\":\"" + std::string(100'001, 'x') + "\"}\n");
     },
     "bad-line: line 1: the line is longer than 100000 characters"},
    {"bad_hex_color",
     [](const fs::path& d) {
       return manifest(
           d,
           "{\"source-ref\":\"a0.jpg\",\"job-ref\":\"m0.png\",\"job-ref-metadata\":{\"internal-color-map\":{"
           "\"0\":{\"class-name\":\"BACKGROUND\",\"hex-color\":\"white\"}}}}\n");
     },
     "bad-line: line 1: key 'job-ref-metadata.internal-color-map.0.hex-color': 'white' is not a colour: "
     "expected '#' and six hexadecimal digits"},
    {"line_without_this_label", [](const fs::path& d) { return manifest(d, "{\"source-ref\":\"x.jpg\"}\n"); },
     "no-label: line 1: x.jpg: the line has no attribute 'job-ref'"},
    {"failed_line",
     [](const fs::path& d) {
       return manifest(d,
                       "{\"source-ref\":\"x.jpg\",\"job-ref-metadata\":{\"failure-reason\":\"ClientError: no "
                       "annotations\",\"retry-count\":1}}\n");
     },
     "failed-line: line 1: x.jpg: labeling failed: ClientError: no annotations"},
    {"unknown_bucket",
     [](const fs::path& d) { return manifest(d, manifest_line("s3://elsewhere/x.jpg", "m0.png")); },
     "bad-reference: line 1: s3://elsewhere/x.jpg: 's3://elsewhere/x.jpg': no folder is given for bucket "
     "'elsewhere' (known: none); name one as --s3-root elsewhere=FOLDER"},
    {"key_leaves_its_bucket",
     [](const fs::path& d) { return manifest(d, manifest_line("s3://b/../../etc/passwd", "m0.png")); },
     "bad-reference: line 1: s3://b/../../etc/passwd: 's3://b/../../etc/passwd' has '.' or '..' in its key; "
     "expected s3://bucket/key that stays inside its bucket",
     [](TransformOptions& o) { o.reading.roots.buckets["b"] = o.input.parent_path(); }},
    {"class_named_twice",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250);
       put_mask(d / "b.png");
       write_text(
           d / "output.manifest",
           good_lines(d, 3) +
               manifest_line("b.jpg", "b.png", {{{"BACKGROUND", {255, 255, 255}}, {"Fish", {44, 160, 44}}}}));
       return d / "output.manifest";
     },
     "class-conflict: line 4: b.jpg: class 1 is 'Fish' here and 'Turtle' on line 1"},
    {"class_in_another_color",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250);
       put_mask(d / "b.png");
       write_text(
           d / "output.manifest",
           good_lines(d, 3) + manifest_line("b.jpg", "b.png",
                                            {{{"BACKGROUND", {255, 255, 255}}, {"Turtle", {44, 160, 45}}}}));
       return d / "output.manifest";
     },
     "class-conflict: line 4: b.jpg: class 1 'Turtle' has the colour #2ca02d here and #2ca02c on line 1"},
    {"class_under_another_index",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250);
       put_mask(d / "b.png");
       write_text(d / "output.manifest",
                  good_lines(d, 3) +
                      "{\"source-ref\":\"b.jpg\",\"job-ref\":\"b.png\",\"job-ref-metadata\":{\"internal-"
                      "color-map\":{\"2\":{\"class-name\":\"Turtle\",\"hex-color\":\"#2ca02c\"}}}}\n");
       return d / "output.manifest";
     },
     "class-conflict: line 4: b.jpg: class 'Turtle' has the index 2 here and 1 on line 1"},
    {"line_is_nested_too_deeply",
     [](const fs::path& d) {
       return manifest(d, "{\"source-ref\":" + std::string(40'000, '[') + std::string(40'000, ']') + "}\n");
     },
     "bad-line: line 1: the JSON nests objects and arrays deeper than 64 levels"},
    {"missing_photo", [](const fs::path& d) { return manifest(d, manifest_line("gone.jpg", "m0.png")); },
     "missing-photo: line 1: DIR/gone.jpg: the photo does not exist"},
    {"missing_mask",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250);
       return manifest(d, manifest_line("b.jpg", "gone.png"));
     },
     "missing-mask: line 1: DIR/gone.png: the mask does not exist"},
    {"empty_photo",
     [](const fs::path& d) {
       write_text(d / "b.jpg", "");
       put_mask(d / "b.png");
       return manifest(d, manifest_line("b.jpg", "b.png"));
     },
     "unreadable-photo: line 1: DIR/b.jpg: the photo is an empty file"},
    {"photo_is_text",
     [](const fs::path& d) {
       write_text(d / "b.jpg", "<html>Access Denied</html>");
       put_mask(d / "b.png");
       return manifest(d, manifest_line("b.jpg", "b.png"));
     },
     "unreadable-photo: line 1: DIR/b.jpg: not a JPEG, PNG or WebP file"},
    {"photo_is_cut_off",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250, {64, 64});
       const std::string bytes = read_back(d / "b.jpg");
       write_text(d / "b.jpg", bytes.substr(0, bytes.size() - 40));
       put_mask(d / "b.png", small_mask(1, {64, 64}));
       return manifest(d, manifest_line("b.jpg", "b.png"));
     },
     "unreadable-photo: line 1: DIR/b.jpg: broken or truncated JPEG: Premature end of JPEG file"},
    {"mask_is_cut_off",
     [](const fs::path& d) {
       return with_mask(d, [](const fs::path& m) {
         put_mask(m);
         const std::string bytes = read_back(m);
         write_text(m, bytes.substr(0, bytes.size() - 20));
       });
     },
     "unreadable-mask: line 1: DIR/b.png: broken or truncated PNG: the data end early"},
    {"mask_is_a_jpeg",
     [](const fs::path& d) {
       return with_mask(d, [](const fs::path& m) {
         write_text(m, std::string("\xff\xd8\xff\xe0", 4) + std::string(60, 'j'));
       });
     },
     "unreadable-mask: line 1: DIR/b.png: a JPEG file: masks are PNG, whose pixels are exact"},
    {"empty_mask_file",
     [](const fs::path& d) { return with_mask(d, [](const fs::path& m) { write_text(m, ""); }); },
     "unreadable-mask: line 1: DIR/b.png: the mask is an empty file"},
    {"sizes_differ",
     [](const fs::path& d) {
       return with_mask(d, [](const fs::path& m) { put_mask(m, small_mask(1, {12, 16})); });
     },
     "size-mismatch: line 1: DIR/b.png: the mask is 12x16 but the photo is 16x12"},
    {"unknown_label",
     [](const fs::path& d) { return with_mask(d, [](const fs::path& m) { put_mask(m, small_mask(7)); }); },
     "unknown-label: line 1: DIR/b.png: pixel value 7 (4 pixels, first at 2,3) is no class; known: 0 "
     "BACKGROUND, 1 Turtle; 255 is ignored"},
    {"unknown_color",
     [](const fs::path& d) {
       return with_mask(d, [](const fs::path& m) {
         imaging::Image colors({16, 12}, {255, 255, 255});
         colors.set(4, 5, {44, 160, 45});
         colors.set(5, 5, {44, 160, 45});
         ASSERT_TRUE(write_file_atomically(m, *imaging::encode_png(colors)).has_value());
       });
     },
     "unknown-color: line 1: DIR/b.png: colour #2ca02d (2 pixels, first at 4,5) is not in the colour map; "
     "known: #ffffff BACKGROUND, #2ca02c Turtle"},
    {"palette_disagrees",
     [](const fs::path& d) {
       return with_mask(d, [](const fs::path& m) {
         put_mask(m, small_mask(), {{44, 160, 44}, {255, 255, 255}});
       });
     },
     "palette-conflict: line 1: DIR/b.png: pixel value 0 (188 pixels, first at 0,0) is 'BACKGROUND' in the "
     "colour map, but the mask's palette paints it #2ca02c, the colour of 'Turtle': indices and colours "
     "disagree"},
    {"two_classes_of_one_color",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250);
       put_colors(d / "b.png", {44, 160, 44});
       artifacts::ClassList classes = turtle_classes();
       classes.classes.push_back({"Shell", {44, 160, 44}});
       return manifest(d, manifest_line("b.jpg", "b.png", classes));
     },
     "ambiguous-color: line 1: DIR/b.png: the mask's colours name its classes, but the colour map gives "
     "#2ca02c to both 'Turtle' and 'Shell'"},
    {"void_color_outside_voc",
     [](const fs::path& d) {
       return with_mask(d, [](const fs::path& m) { put_colors(m, {224, 224, 192}); });
     },
     "unknown-color: line 1: DIR/b.png: colour #e0e0c0 (4 pixels, first at 2,3) is not in the colour map; "
     "known: #ffffff BACKGROUND, #2ca02c Turtle"},
    {"colors_without_a_map",
     [](const fs::path& d) {
       plain_pairs(d, 4);
       put_colors(d / "masks/p1.png", {44, 160, 44});
       return d;
     },
     "unknown-color: DIR/masks/p1.png: the mask holds RGB colours and no colour map is known; expected a "
     "grey "
     "or palette PNG of class indices. Colours need the internal-color-map of a manifest, or the "
     "classes.json "
     "or labelmap.txt of a folder that is transformed"},
    {"palette_disagrees_with_classes_file",
     [](const fs::path& d) {
       plain_pairs(d, 4);
       put_mask(d / "masks/p1.png", small_mask(), {{44, 160, 44}, {1, 2, 3}});
       EXPECT_TRUE(artifacts::write_classes_file(d / "classes.json", turtle_classes()).has_value());
       return d;
     },
     "palette-conflict: DIR/masks/p1.png: pixel value 0 (188 pixels, first at 0,0) is 'BACKGROUND' in the "
     "colour map, but the mask's palette paints it #2ca02c, the colour of 'Turtle': indices and colours "
     "disagree"},
    {"same_source_twice",
     [](const fs::path& d) {
       write_text(d / "output.manifest", good_lines(d, 4) + manifest_line("a1.jpg", "m1.png"));
       return d / "output.manifest";
     },
     "duplicate-source: line 5: a1.jpg: an earlier line has the same source-ref; the first counts"},
    {"same_photo_under_two_names",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 0);
       put_mask(d / "b.png");
       write_text(d / "output.manifest", good_lines(d, 4) + manifest_line("b.jpg", "b.png"));
       return d / "output.manifest";
     },
     "duplicate-photo: line 5: b.jpg: the same bytes as line 1 (a0.jpg); both stay in one split"},
    {"two_photos_one_mask",
     [](const fs::path& d) {
       put_photo(d / "b.jpg", 250);
       write_text(d / "output.manifest", good_lines(d, 4) + manifest_line("b.jpg", "m2.png"));
       return d / "output.manifest";
     },
     "shared-mask: line 5: b.jpg: its mask DIR/m2.png is also the mask of a2.jpg"},
    {"nothing_usable",
     [](const fs::path& d) { return manifest(d, manifest_line("gone.jpg", "gone.png"), 0); },
     "error: DIR/output.manifest: none of 1 entries is usable; first: line 1: DIR/gone.jpg: the photo does "
     "not exist"},
    {"photo_without_mask",
     [](const fs::path& d) {
       plain_pairs(d, 4);
       put_photo(d / "images/lonely.jpg", 200);
       return d;
     },
     "photo-without-mask: images/lonely.jpg: there is no masks/lonely.png"},
    {"mask_without_photo",
     [](const fs::path& d) {
       plain_pairs(d, 4);
       put_mask(d / "masks/lonely.png");
       return d;
     },
     "mask-without-photo: masks/lonely.png: there is no photo images/lonely (.jpg, .jpeg, .png, .webp)"},
    {"two_photos_of_one_name",
     [](const fs::path& d) {
       plain_pairs(d, 4);
       put_photo(d / "images/p1.png", 200);
       return d;
     },
     "same-stem: images/p1.png: images/p1.jpg has the same name; a mask belongs to one photo"},
    {"two_masks_of_one_name",
     [](const fs::path& d) {
       plain_pairs(d, 4);
       put_mask(d / "masks/p1.PNG");
       return d;
     },
     "same-stem: masks/p1.png: masks/p1.PNG has the same name; a photo has one mask"},
    {"class_listed_twice",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "classes.txt", "BACKGROUND\ncat\ncat\n");
       return d;
     },
     "error: DIR/classes.txt: line 3: 'cat' is the name of class 1 already"},
    {"class_without_a_name",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "classes.txt", "0\tBACKGROUND\n1\t\n");
       return d;
     },
     "error: DIR/classes.txt: line 2: the class has no name"},
    {"class_names_are_latin_1",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "classes.txt", "caf\xe9\ncaf\xe8\n");
       return d;
     },
     "error: DIR: classes[1].name is 'caf\xef\xbf\xbd', the name of classes[0] already"},
    {"split_names_unknown_photo",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "splits.tsv", "split\tname\ntrain\tp0\nval\tp1\ntrain\tp9\n");
       return d;
     },
     "split-unknown-name: line 4: splits.tsv: 'p9' has no photo and mask of that name"},
    {"photo_not_in_split",
     [](const fs::path& d) {
       plain_pairs(d, 3);
       write_text(d / "splits.tsv", "split\tname\ntrain\tp0\nval\tp1\n");
       return d;
     },
     "not-in-split: images/p2.jpg: the kept split does not name this photo"},
    {"split_of_unknown_name",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "splits.tsv", "split\tname\ntrain\tp0\nholdout\tp1\n");
       return d;
     },
     "error: DIR/splits.tsv: line 3: split 'holdout' is not train, validation (valid, val) or test"},
    {"split_file_without_columns",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "splits.tsv", "p0\ttrain\n");
       return d;
     },
     "error: DIR/splits.tsv: the first line must name the tab-separated columns 'split' and 'name' or "
     "'source'; it is 'p0\ttrain'"},
    {"photo_leaks_across_splits",
     [](const fs::path& d) {
       plain_pairs(d, 3);
       put_photo(d / "images/p2.jpg", 0);
       write_text(d / "splits.tsv", "split\tname\ntrain\tp0\nval\tp1\ntest\tp2\n");
       return d;
     },
     "duplicate-across-splits: images/p2.jpg: the same bytes as images/p0.jpg, which is in train while this "
     "one is in test"},
    {"group_across_splits",
     [](const fs::path& d) {
       plain_pairs(d, 3);
       write_text(d / "splits.tsv", "split\tsource\tname\ntrain\tg\tp0\nval\tg\tp1\ntrain\th\tp2\n");
       return d;
     },
     "group-across-splits: images/p1.jpg: group 'g' is in validation here and in train with images/p0.jpg"},
    {"voc_list_names_unknown_photo",
     [](const fs::path& d) {
       put_photo(d / "JPEGImages/v0.jpg", 3);
       put_mask(d / "SegmentationClass/v0.png", small_mask(), {{0, 0, 0}, {128, 0, 0}});
       write_text(d / "ImageSets/Segmentation/train.txt", "v0\nv7\n");
       return d;
     },
     "split-unknown-name: line 2: ImageSets/Segmentation/train.txt: 'v7' has no photo and mask of that name"},
    {"labelmap_line_is_broken",
     [](const fs::path& d) {
       put_photo(d / "JPEGImages/v0.jpg", 3);
       put_mask(d / "SegmentationClass/v0.png");
       write_text(d / "labelmap.txt", "# label:color_rgb:parts:actions\nturtle:44,160::\n");
       return d;
     },
     "error: DIR/labelmap.txt: line 2: 'turtle:44,160::' is not name:red,green,blue:: with 0..255"},
    {"labelmap_names_a_class_twice",
     [](const fs::path& d) {
       put_photo(d / "JPEGImages/v0.jpg", 3);
       put_mask(d / "SegmentationClass/v0.png");
       write_text(d / "labelmap.txt", "background:255,255,255::\ncat:44,160,44::\ncat:1,2,3::\n");
       return d;
     },
     "error: DIR/labelmap.txt: line 3: 'cat' is the name of class 1 already"},
    {"palette_color_not_in_labelmap",
     [](const fs::path& d) {
       put_photo(d / "JPEGImages/v0.jpg", 3);
       put_mask(d / "SegmentationClass/v0.png");
       write_text(d / "labelmap.txt", "background:255,255,255::\nturtle:1,2,3::\n");
       return d;
     },
     "error: DIR: none of 1 entries is usable; first: DIR/SegmentationClass/v0.png: colour #2ca02c (4 "
     "pixels, first at 2,3) is not in the colour map; known: #ffffff background, #010203 turtle"},
    {"train_would_be_empty", [](const fs::path& d) { return manifest(d, "", 2); },
     "error: train would be empty: 2 usable photos in 2 groups, train fraction 0.1, test fraction 0; add "
     "photos or change the fractions",
     [](TransformOptions& o) { o.split.train_fraction = 0.1; }},
    {"fraction_out_of_range", [](const fs::path& d) { return manifest(d, ""); },
     "error: the train fraction is 0 to 1, not 80", [](TransformOptions& o) { o.split.train_fraction = 80; }},
    {"fractions_exceed_one", [](const fs::path& d) { return manifest(d, ""); },
     "error: train fraction 0.6 and test fraction 0.5 add up to more than 1",
     [](TransformOptions& o) { o.split.test_fraction = 0.5; }},
    {"split_file_beside_a_seed",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "mine.tsv", "split\tname\ntrain\tp0\nval\tp1\n");
       return d;
     },
     "error: the split of DIR/mine.tsv is kept: a train fraction, a test fraction or a seed draws a new one; "
     "give either the file or those",
     [](TransformOptions& o) {
       o.split_file = o.input / "mine.tsv", o.split = {};
       o.split.seed = 3;
     }},
    {"split_file_beside_a_new_split",
     [](const fs::path& d) {
       plain_pairs(d, 2);
       write_text(d / "mine.tsv", "split\tname\ntrain\tp0\nval\tp1\n");
       return d;
     },
     "error: the split of DIR/mine.tsv is kept: a train fraction, a test fraction or a seed draws a new one; "
     "give either the file or those",
     [](TransformOptions& o) {
       o.split_file = o.input / "mine.tsv", o.split = {};
       o.new_split = true;
     }},
    {"group_regex_is_broken", [](const fs::path& d) { return manifest(d, ""); },
     "error: --group-by '(a' is not a regular expression", [](TransformOptions& o) { o.group_by = "(a"; }},
};

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

class BadDataset : public testing::TestWithParam<Case> {};

TEST_P(BadDataset, SaysExactlyWhatIsWrong) {
  const TemporaryFolder temporary;
  const fs::path data = temporary.path() / "data", output = temporary.path() / "out";
  fs::create_directory(data);
  TransformOptions options;
  options.input = GetParam().build(data);
  options.output = output;
  options.strict = true;
  options.split.train_fraction = 0.6;
  GetParam().adjust(options);
  const auto report = transform(options);
  std::string said;
  if (!report) {
    said = "error: " + report.error().message;
  } else if (report->problems.empty()) {
    said = "no problem";
  } else {
    said = report->problems.front().kind + ": " + describe(report->problems.front());
    EXPECT_FALSE(report->written);
  }
  said = replace_all(said, data.string(), "DIR");
  EXPECT_EQ(replace_all(said, output.string(), "OUT"), GetParam().expected);
  // Strict: nothing at the destination, nothing left beside it.
  EXPECT_FALSE(fs::exists(output));
  EXPECT_EQ(std::distance(fs::directory_iterator(temporary.path()), fs::directory_iterator()), 1);
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadDataset, testing::ValuesIn(kCases),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace terrapin::dataset
