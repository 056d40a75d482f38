"""Runs an ONNX file for the export test: run_onnx.py MODEL INPUT.f32 OUTPUT.f32 N C H W. With "probe": only says if it can."""

import sys

import numpy
import onnxruntime

if sys.argv[1] != "probe":
    model, source, target = sys.argv[1:4]
    shape = [int(side) for side in sys.argv[4:8]]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {"image": numpy.fromfile(source, numpy.float32).reshape(shape)}
    answers = session.run(None, feed)
    answers[0].astype(numpy.float32).tofile(target)
    if len(answers) > 1:
        assert session.get_outputs()[1].name == "labels" and answers[1].dtype == numpy.uint8
        assert (answers[1] == answers[0].argmax(1)).all(), "labels are not the argmax of the logits"
    metadata = session.get_modelmeta().custom_metadata_map
    assert "terrapin.classes" in metadata and "terrapin.preprocessing" in metadata, metadata
