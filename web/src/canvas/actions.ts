// Everything a worker can do with a key or a button, as data: button, key and help share it.
import type { Editor, ToolId } from "./editor";
import type { IconName } from "./icons";
import type { Keyed, KeyPreset } from "./keys";

/** What an action works on: the editor, and what only the element around it can do. */
export interface ActionTarget {
  readonly editor: Editor;
  readonly fullscreenAllowed: boolean;
  send(event: "canvas-submit" | "canvas-skip" | "canvas-previous"): void;
  toggleFullscreen(): void;
  showHelp(): void;
}

export type ActionGroup = "Tools" | "Labels" | "Painting" | "View" | "Keyboard cursor" | "Task";

export interface Action extends Keyed {
  readonly group: ActionGroup;
  readonly icon?: IconName;
  /** Lasts while the key is held; `release` ends it. */
  readonly release?: (target: ActionTarget) => void;
  /** A held key repeats it. */
  readonly repeats?: boolean;
  readonly enabled?: (editor: Editor, target: ActionTarget) => boolean;
  /** There only where somebody assists. */
  readonly assists?: boolean;
  /** For what is on or off. */
  readonly checked?: (editor: Editor) => boolean;
  perform(target: ActionTarget): void;
}

type Keys = readonly string[];

/** The same keys in every preset, or those of Terrapin, CVAT and Label Studio. */
function keys(all: Keys, cvat: Keys = all, labelStudio: Keys = all): Readonly<Record<KeyPreset, Keys>> {
  return { terrapin: all, cvat, labelStudio };
}

const paints = (editor: Editor): boolean => editor.canPaint;

function tool(id: ToolId, title: string, icon: IconName, own: Readonly<Record<KeyPreset, Keys>>): Action {
  return {
    id: `tool.${id}`,
    title,
    group: "Tools",
    icon,
    keys: own,
    checked: (editor) => editor.tool === id,
    perform: ({ editor }) => editor.selectTool(id),
  };
}

function label(number: number): Action {
  const digit = String(number % 10);
  return {
    id: `label.${number}`,
    title: `Label ${number}`,
    group: "Labels",
    keys: keys([digit], [`Ctrl+${digit}`, digit], [digit]),
    enabled: (editor) => editor.labels.length >= number,
    perform: ({ editor }) => {
      const chosen = editor.labels[number - 1];
      if (chosen) editor.selectLabel(chosen.value);
    },
  };
}

function cursor(direction: "Left" | "Right" | "Up" | "Down", dx: number, dy: number): Action[] {
  const one = (far: boolean): Action => ({
    id: `cursor.${direction.toLowerCase()}${far ? "Far" : ""}`,
    title: `Cursor ${direction.toLowerCase()}${far ? ", far" : ""}`,
    group: "Keyboard cursor",
    keys: keys([far ? `Shift+${direction}` : direction]),
    repeats: true,
    perform: ({ editor }) => editor.moveCursor(dx, dy, far),
  });
  return [one(false), one(true)];
}

export const kActions: readonly Action[] = [
  tool("brush", "Brush", "brush", keys(["B"], ["Shift+1", "B"], ["B"])),
  tool("eraser", "Eraser", "eraser", keys(["E"], ["Shift+2", "E"], ["E"])),
  tool("polygon", "Polygon", "polygon", keys(["P"], ["Shift+3", "P"], ["P"])),
  tool("polygonSubtract", "Subtract polygon", "polygonSubtract", keys(["Shift+P"], ["Shift+4", "Shift+P"], ["Shift+P"])),
  tool("fill", "Fill area", "fill", keys(["G"])),
  tool("wand", "Magic wand", "wand", keys(["W"])),
  { ...tool("assist", "Four clicks", "assist", keys(["A"], ["Shift+5", "A"], ["A"])), assists: true },
  tool("pan", "Move view", "pan", keys(["V"], ["V"], ["V"])),

  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(label),
  {
    id: "label.next",
    title: "Next label",
    group: "Labels",
    keys: keys(["."]),
    repeats: true,
    perform: ({ editor }) => editor.selectNextLabel(1),
  },
  {
    id: "label.previous",
    title: "Previous label",
    group: "Labels",
    keys: keys([","]),
    repeats: true,
    perform: ({ editor }) => editor.selectNextLabel(-1),
  },
  {
    id: "label.lock",
    title: "Lock label",
    group: "Labels",
    keys: keys(["L"]),
    enabled: (editor) => editor.value !== 0,
    checked: (editor) => editor.locked.has(editor.value),
    perform: ({ editor }) => editor.toggleLocked(editor.value),
  },

  {
    id: "undo",
    title: "Undo",
    group: "Painting",
    icon: "undo",
    keys: keys(["Ctrl+Z"]),
    repeats: true,
    enabled: (editor) => editor.canPaint && (editor.busy || editor.mask?.canUndo === true),
    perform: ({ editor }) => editor.undo(),
  },
  {
    id: "redo",
    title: "Redo",
    group: "Painting",
    icon: "redo",
    keys: keys(["Ctrl+Shift+Z", "Ctrl+Y"]),
    repeats: true,
    enabled: (editor) => editor.canPaint && !editor.busy && editor.mask?.canRedo === true,
    perform: ({ editor }) => editor.redo(),
  },
  {
    id: "brush.smaller",
    title: "Smaller brush",
    group: "Painting",
    keys: keys(["["]),
    repeats: true,
    perform: ({ editor }) => editor.stepBrushSize(-1),
  },
  {
    id: "brush.larger",
    title: "Larger brush",
    group: "Painting",
    keys: keys(["]"]),
    repeats: true,
    perform: ({ editor }) => editor.stepBrushSize(1),
  },
  {
    id: "finish",
    title: "Finish polygon or mask, or draw again",
    group: "Painting",
    keys: keys(["N"]),
    enabled: paints,
    perform: ({ editor }) => editor.startOrFinish(),
  },
  {
    id: "removePoint",
    title: "Remove last point",
    group: "Painting",
    keys: keys(["Backspace", "Delete"]),
    repeats: true,
    perform: ({ editor }) => editor.removeLastPoint(),
  },
  {
    id: "cancel",
    title: "Cancel",
    group: "Painting",
    keys: keys(["Esc"], ["Esc"], ["Esc", "U"]),
    perform: ({ editor }) => editor.cancel(),
  },
  {
    id: "assist.refine",
    title: "Four clicks: refine what is painted",
    group: "Painting",
    assists: true,
    keys: keys(["R"]),
    enabled: (editor) => editor.canPaint && editor.assist !== null,
    perform: ({ editor }) => editor.assist?.refine(),
  },
  {
    id: "assist.remove",
    title: "Four clicks: add or remove",
    group: "Painting",
    assists: true,
    keys: keys(["X"]),
    enabled: (editor) => editor.canPaint && editor.assist?.correcting === true,
    checked: (editor) => editor.assistRemoves,
    perform: ({ editor }) => editor.setAssistRemoves(!editor.assistRemoves),
  },
  {
    id: "assist.carry",
    title: "Four clicks: move a point, put it down",
    group: "Painting",
    assists: true,
    keys: keys(["M"]),
    enabled: (editor) => editor.canPaint && editor.assist !== null,
    perform: ({ editor }) => editor.assist?.carry(),
  },
  {
    id: "onlyBackground",
    title: "Paint only background",
    group: "Painting",
    icon: "onlyBackground",
    keys: keys(["O"]),
    checked: (editor) => editor.onlyBackground,
    perform: ({ editor }) => editor.setOnlyBackground(!editor.onlyBackground),
  },
  {
    id: "enclosed",
    title: "Fill enclosed background",
    group: "Painting",
    icon: "enclosed",
    keys: keys(["Shift+G"]),
    enabled: (editor) => editor.canPaint && editor.value !== 0 && !editor.busy,
    perform: ({ editor }) => void editor.fillEnclosed(),
  },
  {
    id: "previousMask",
    title: "Copy the previous photo's mask",
    group: "Painting",
    icon: "copy",
    keys: keys(["Ctrl+B"]),
    enabled: (editor) => editor.canPaint && !editor.busy,
    perform: (target) => target.send("canvas-previous"),
  },

  {
    id: "zoom.in",
    title: "Zoom in",
    group: "View",
    icon: "zoomIn",
    keys: keys(["Plus", "="], ["Plus", "="], ["Ctrl+Plus", "Ctrl+=", "Plus", "="]),
    repeats: true,
    perform: ({ editor }) => editor.zoomBy(1.25),
  },
  {
    id: "zoom.out",
    title: "Zoom out",
    group: "View",
    icon: "zoomOut",
    keys: keys(["-"], ["-"], ["Ctrl+-", "-"]),
    repeats: true,
    perform: ({ editor }) => editor.zoomBy(0.8),
  },
  {
    id: "fit",
    title: "Fit the photo",
    group: "View",
    icon: "fit",
    keys: keys(["F"], ["F"], ["Shift+1", "F"]),
    perform: ({ editor }) => editor.fit(),
  },
  {
    id: "zoom.one",
    title: "One to one",
    group: "View",
    keys: keys(["Shift+0"], ["Shift+0"], ["Shift+2"]),
    perform: ({ editor }) => editor.zoomTo(1),
  },
  {
    id: "hand",
    title: "Move the view while held (use the tool, at the keyboard's cursor)",
    group: "View",
    keys: keys(["Space"], ["Space"], ["Space", "H"]),
    perform: ({ editor }) => {
      if (editor.pointerIsKeyboard && editor.pointer) editor.tapCursor();
      else editor.setPanning(true);
    },
    release: ({ editor }) => editor.setPanning(false),
  },
  {
    id: "hide",
    title: "Hide the mask while held",
    group: "View",
    icon: "eye",
    keys: keys(["H"], ["H"], ["Ctrl+H"]),
    checked: (editor) => editor.overlayHidden,
    perform: ({ editor }) => editor.hideOverlay(true),
    release: ({ editor }) => editor.hideOverlay(false),
  },
  {
    id: "outline",
    title: "Show outlines only",
    group: "View",
    icon: "outline",
    keys: keys(["T"]),
    checked: (editor) => editor.settings.outline,
    perform: ({ editor }) => editor.change({ outline: !editor.settings.outline }),
  },
  {
    id: "opacity.less",
    title: "Mask more transparent",
    group: "View",
    keys: keys(["{"]),
    repeats: true,
    perform: ({ editor }) => editor.change({ opacity: Math.max(0.1, Math.round(editor.settings.opacity * 10 - 1) / 10) }),
  },
  {
    id: "opacity.more",
    title: "Mask more solid",
    group: "View",
    keys: keys(["}"]),
    repeats: true,
    perform: ({ editor }) => editor.change({ opacity: Math.min(1, Math.round(editor.settings.opacity * 10 + 1) / 10) }),
  },
  {
    id: "fullscreen",
    title: "Full screen",
    group: "View",
    icon: "fullscreen",
    keys: keys(["Shift+F"]),
    enabled: (_editor, target) => target.fullscreenAllowed,
    perform: (target) => target.toggleFullscreen(),
  },

  ...cursor("Left", -1, 0),
  ...cursor("Right", 1, 0),
  ...cursor("Up", 0, -1),
  ...cursor("Down", 0, 1),
  {
    id: "cursor.pen",
    title: "Pen down or up; closes a polygon, keeps a mask",
    group: "Keyboard cursor",
    keys: keys(["Enter"]),
    enabled: paints,
    perform: ({ editor }) => {
      if (editor.busy && !editor.penDown) editor.finish();
      else if (editor.pointerIsKeyboard) editor.toggleCursorPen();
    },
  },

  {
    id: "submit",
    title: "Submit",
    group: "Task",
    keys: keys(["Ctrl+Enter"]),
    enabled: paints,
    perform: (target) => target.send("canvas-submit"),
  },
  {
    id: "skip",
    title: "Skip this task",
    group: "Task",
    keys: keys(["Ctrl+Space"]),
    perform: (target) => target.send("canvas-skip"),
  },
  {
    id: "help",
    title: "Keys and help",
    group: "Task",
    icon: "help",
    keys: keys(["?"]),
    perform: (target) => target.showHelp(),
  },
];

const withoutAssistance = kActions.filter((action) => !action.assists);

const toLook = kActions.filter(({ group, id }) => group === "View" || id === "skip" || id === "help");

/** The actions of a canvas: somebody assists or nobody; it is painted on or only looked at. */
export function actionsOf(assisted: boolean, viewing = false): readonly Action[] {
  return viewing ? toLook : assisted ? kActions : withoutAssistance;
}

const byId = new Map(kActions.map((action) => [action.id, action]));

/** The action of an id that is in kActions. */
export function actionOf(id: string): Action {
  const action = byId.get(id);
  if (!action) throw new Error(`no action ${id}`);
  return action;
}
