// The script that templates name: AWS's elements for this task. Twice in a document it starts once.
import { kHandOver, type FrameBridge } from "./bridge";
import { defineFields } from "./fields";
import { CrowdForm } from "./form";
import { defineFurniture } from "./furniture";
import { CrowdImageClassifier } from "./imageClassifier";
import { startRuntime } from "./runtime";
import { CrowdSemanticSegmentation } from "./segmentation";

if (!customElements.get("crowd-form")) {
  const holder = window as unknown as Record<string, FrameBridge | undefined>;
  const bridge = holder[kHandOver] ?? null;
  delete holder[kHandOver];
  startRuntime(bridge);
  defineFields();
  defineFurniture();
  customElements.define("crowd-semantic-segmentation", CrowdSemanticSegmentation);
  customElements.define("crowd-image-classifier", CrowdImageClassifier);
  customElements.define("crowd-form", CrowdForm);
}
