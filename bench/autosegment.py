"""Four clicks: IoU on unseen photos against GrabCut and the points' quadrilateral, corrections, and latency at 12 megapixels.

Usage: script/bench autosegment [--model FILE] [--limit N] [--sets feral_cats bsds FOLDER] [--without-classical] [--classical-limit N] [--soak CALLS] [--card FILE]
--sets: folders of TERRAPIN_TEST_DATA, or any folder of marked objects (docs/formats/object-masks.md; script/coco-objects makes one from COCO's annotations).
IoU is the mean over objects of at least 1 % of the photo in each set's unseen part. jitterN: every point off by up to N pixels in x and in y. Clicks: after the four points a
simulated annotator clicks into the middle of the largest mistake, up to five times; clicks_to_90 counts objects that do not get there as six. --card writes the table between the two
marks of a model card. Cost of an object in seconds, with and without the tool: see annotator_seconds.
"""

import argparse
import datetime
import math
import os
from pathlib import Path

import support

PROGRAM = Path(os.environ.get("TERRAPIN_BENCH_PROGRAM", support.PROGRAM))
DRIVER = Path(os.environ.get("TERRAPIN_BENCH_AUTOSEGMENT", support.ROOT / "build" / "bench" / "bench_autosegment"))
BEGIN, END = "<!-- scores: written by script/bench autosegment --card -->", "<!-- end of scores -->"

# The annotator's cost model. A click: moving there and pressing, as in Fitts' law with a typical index of difficulty. Painting an outline by hand: polygon
# corners. The mistakes left behind are painted with the brush, one stroke for each, at least.
SECONDS_A_POINT, SECONDS_A_CORNER, SECONDS_A_STROKE, SECONDS_TO_JUDGE = 1.5, 1.0, 2.5, 1.0
GOOD = 0.9


def evaluate(arguments, sets, method, limit, *options):
    command = [PROGRAM, "evaluate-assist", "--method", method, "--json", "--each", *options, "--data", *[support.data_folder(name) for name in sets]]
    if limit:
        command += ["--limit", limit]
    if method == "network" and arguments.model:
        command += ["--model", arguments.model]
    return {s["set"]: s for s in support.run_json(command)["sets"]}


def annotator_seconds(objects):
    """Mean seconds an object, (with the tool, by hand). With: four points, then clicks until IoU 0.9, else strokes for what is left. By hand: one polygon whose
    corners follow from the object's size on the screen."""
    with_tool = by_hand = 0.0
    for entry in objects:
        corners = 8 + 60 * math.sqrt(entry["area_share"])
        hand = SECONDS_TO_JUDGE + corners * SECONDS_A_CORNER
        ious = entry["iou"]
        reached = next((k for k, iou in enumerate(ious) if iou >= GOOD), None)
        clicks = reached if reached is not None else len(ious) - 1
        strokes = 0 if reached is not None else math.ceil((GOOD - ious[-1]) / 0.02)
        tool = SECONDS_TO_JUDGE * (1 + clicks) + SECONDS_A_POINT * (4 + clicks) + SECONDS_A_STROKE * strokes
        with_tool += min(tool, hand + 4 * SECONDS_A_POINT + SECONDS_TO_JUDGE)  # who gives the proposal up draws after all
        by_hand += hand
    return with_tool / len(objects), by_hand / len(objects)


def latency(arguments, photo, method, soak):
    command = [DRIVER, "--photo", photo, "--method", method, "--threads", arguments.threads, "--soak", soak]
    if method == "network" and arguments.model:
        command += ["--model", arguments.model]
    return support.run_json(command)


def write_card(path, lines):
    text = path.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    path.write_text(text[:begin] + "\n" + "\n".join(lines) + "\n" + text[end:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=["feral_cats", "bsds", "turtle_heads", "clothes", "camvid"])
    parser.add_argument("--without-classical", action="store_true")
    parser.add_argument("--classical-limit", type=int, default=100, help="objects of a set that GrabCut is tried on, evenly picked: it is slow (0: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--soak", type=int, default=200)
    parser.add_argument("--card", type=Path)
    a = parser.parse_args()
    network = evaluate(a, a.sets, "network", a.limit)
    classical = same = {}
    if not a.without_classical:
        few = min(filter(None, (a.limit, a.classical_limit)), default=0)
        classical = evaluate(a, a.sets, "classical", few, "--clicks", "0", "--jitter", "3")
        same = evaluate(a, a.sets, "network", few, "--clicks", "0", "--jitter", "3")

    result, rows = {}, []
    for name, s in network.items():
        c = classical.get(name)
        tool, hand = annotator_seconds(s["each"])
        rows.append([name, s["objects"], s["iou"], s["iou_jitter3"], s["iou_jitter8"], *s["iou_after_clicks"], s["clicks_to_90"], s["good_change_after_click"],
                     c["iou"] if c else "-", same[name]["iou"] if c else "-", s["iou_quadrilateral"], round(tool, 1), round(hand, 1)])
        result.update({f"iou_{name}": s["iou"], f"iou_{name}_jitter3": s["iou_jitter3"], f"iou_{name}_jitter8": s["iou_jitter8"],
                       f"clicks_to_90_{name}": s["clicks_to_90"], f"iou_quadrilateral_{name}": s["iou_quadrilateral"],
                       f"iou_after_click_{name}": s["iou_after_clicks"][0], f"good_change_{name}": s["good_change_after_click"],
                       f"seconds_with_{name}": tool, f"seconds_without_{name}": hand})
        if c:
            result[f"iou_grabcut_{name}"] = c["iou"]
            result[f"iou_{name}_where_grabcut"] = same[name]["iou"]
            result[f"iou_grabcut_{name}_jitter3"] = c["iou_jitter3"]
    header = ["set", "objects", "IoU", "jitter 3", "jitter 8", "1 click", "2", "3", "4", "5", "to 90 %", "good ones change", "GrabCut", "ours on the same", "quadrilateral", "s with", "s by hand"]
    support.table("masks from four clicks", header, rows)

    photo = sorted((support.data_folder("feral_cats") / "images").iterdir())[0]
    ours = latency(a, photo, "network", a.soak)
    result.update(latency_ms_first_12mpx=ours["first_ms"], latency_ms_warm_12mpx=ours["warm_ms"], latency_ms_decode_12mpx=ours["decode_ms"],
                  soak_calls_per_second=ours["soak_calls_per_second"], soak_worst_ms=ours["soak_worst_ms"],
                  rss_growth_mib=ours["rss_after_mib"] - ours["rss_before_mib"])
    times = [["network", ours["decode_ms"], ours["first_ms"], ours["warm_ms"]]]
    if not a.without_classical:
        theirs = latency(a, photo, "classical", 0)
        result.update(latency_ms_grabcut_12mpx=theirs["warm_ms"])
        times.append(["GrabCut", theirs["decode_ms"], theirs["first_ms"], theirs["warm_ms"]])
    support.table(f"milliseconds at 4000 x 3000, {a.threads} threads", ["", "JPEG decoding", "first on a photo", "then"], times)
    if a.card:
        lines = [f"`script/bench autosegment`, {datetime.date.today()}, {support.machine()}", "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        lines += ["| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |" for row in rows]
        lines += ["", f"First answer on a photo of 12 megapixels {ours['first_ms']:.0f} ms, later ones {ours['warm_ms']:.0f} ms ({a.threads} threads; decoding the JPEG {ours['decode_ms']:.0f} ms)."]
        write_card(a.card, lines)
    support.finish(result)


if __name__ == "__main__":
    main()
