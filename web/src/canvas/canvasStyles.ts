import { css } from "lit";
import { look } from "./look";

export const canvasStyles = [
  look,
  css`
    :host {
      display: block;
      height: 100dvh;
      min-height: 380px;
      background: var(--surface);
      container-type: inline-size;
      user-select: none;
      -webkit-user-select: none;
    }
    .frame {
      height: 100%;
      display: grid;
      grid-template: "header header header" auto "options options options" auto "tools stage side" minmax(0, 1fr) "footer footer footer" auto / auto minmax(0, 1fr) 296px;
      position: relative;
      overflow: hidden;
    }
    header {
      grid-area: header;
      display: flex;
      align-items: center;
      gap: 4px 14px;
      padding: 6px 10px 6px 14px;
      border-bottom: 1px solid var(--line);
    }
    .title {
      flex: 1;
      min-width: 0;
      display: flex;
      align-items: center;
      gap: 10px;
    }
    h1 {
      font-size: 15px;
      font-weight: 600;
      margin: 0;
      white-space: nowrap;
      overflow: hidden;
      text-overflow: ellipsis;
    }
    .group {
      display: flex;
      align-items: center;
      gap: 2px;
    }
    .zoom-text {
      min-width: 62px;
      height: 34px;
      font-variant-numeric: tabular-nums;
    }
    .panel-button,
    .panel-close {
      display: none;
    }
    .options {
      grid-area: options;
      display: flex;
      align-items: center;
      gap: 6px 18px;
      min-height: 44px;
      padding: 4px 14px;
      border-bottom: 1px solid var(--line);
      background: var(--ground);
    }
    .tool-name {
      display: flex;
      flex: none;
      align-items: center;
      gap: 8px;
      font-weight: 600;
    }
    .tool-name > span {
      overflow: hidden;
      text-overflow: ellipsis;
      white-space: nowrap;
      max-width: 260px;
    }
    .option {
      display: flex;
      align-items: center;
      gap: 8px;
      white-space: nowrap;
    }
    .hint {
      display: block;
      color: var(--text-quiet);
      min-width: 0;
      overflow: hidden;
      text-overflow: ellipsis;
    }
    .options button {
      flex: none;
    }
    .wraps {
      flex-wrap: wrap;
    }
    .hint.last {
      flex: 1 1 0;
    }
    .trouble {
      color: var(--warning);
      font-size: 13px;
      line-height: 1.25;
      white-space: normal;
      flex: 0 1 auto;
      min-width: 200px;
    }
    .option input[type="number"] {
      width: 64px;
    }
    .option output {
      min-width: 26px;
      font-variant-numeric: tabular-nums;
    }
    .quiet {
      color: var(--text-quiet);
    }
    .tools {
      grid-area: tools;
      display: flex;
      flex-direction: column;
      gap: 4px;
      padding: 8px 7px;
      border-right: 1px solid var(--line);
      overflow: auto;
      scrollbar-width: thin;
    }
    .tools .square-button {
      width: 40px;
      height: 40px;
    }
    .divider {
      height: 1px;
      background: var(--line);
      margin: 4px 2px;
      flex: none;
    }
    .stage {
      grid-area: stage;
      position: relative;
      overflow: hidden;
      background: var(--stage-ground);
      touch-action: none;
      contain: strict;
    }
    .stage:focus-visible {
      outline-offset: -2px;
    }
    .stage > canvas {
      position: absolute;
      inset: 0;
      width: 100%;
      height: 100%;
      pointer-events: none;
      image-rendering: pixelated;
    }
    .sketch {
      display: none;
    }
    .cursor {
      position: absolute;
      left: 0;
      top: 0;
      display: none;
      border-radius: 50%;
      pointer-events: none;
      border: 1px solid #ffffff;
      outline: 1px solid rgb(0 0 0 / 75%);
      will-change: transform;
    }
    .cursor.square {
      border-radius: 0;
    }
    .cursor.keyboard::before,
    .cursor.keyboard::after {
      content: "";
      position: absolute;
      left: 50%;
      top: 50%;
      background: #ffffff;
      outline: 1px solid rgb(0 0 0 / 75%);
    }
    .cursor.keyboard::before {
      width: 23px;
      height: 1px;
      margin: -0.5px 0 0 -11.5px;
    }
    .cursor.keyboard::after {
      width: 1px;
      height: 23px;
      margin: -11.5px 0 0 -0.5px;
    }
    .cursor.down::before,
    .cursor.down::after {
      background: #ffd54a;
    }
    .progress {
      position: absolute;
      left: 50%;
      top: 50%;
      transform: translate(-50%, -50%);
      display: grid;
      gap: 8px;
      padding: 14px 18px;
      border-radius: 10px;
      background: var(--surface);
      box-shadow: var(--shadow);
      pointer-events: none;
    }
    .progress.small {
      top: auto;
      bottom: 12px;
      transform: translateX(-50%);
      grid-auto-flow: column;
      align-items: center;
      padding: 6px 12px;
      font-size: 12px;
    }
    progress {
      width: 180px;
      height: 6px;
      accent-color: var(--accent);
    }
    .progress.small progress {
      width: 90px;
    }
    .problem {
      position: absolute;
      inset: auto 16px 16px;
      margin: 0 auto;
      max-width: 560px;
      padding: 12px 16px;
      border-radius: 10px;
      background: var(--surface);
      box-shadow: var(--shadow);
      user-select: text;
    }
    aside {
      grid-area: side;
      border-left: 1px solid var(--line);
      padding: 12px;
      overflow: auto;
      scrollbar-width: thin;
      display: flex;
      flex-direction: column;
      gap: 16px;
    }
    aside > * {
      flex: none;
    }
    aside h2,
    summary {
      font-size: 12px;
      font-weight: 600;
      color: var(--text-quiet);
      margin: 0 0 6px;
    }
    summary {
      cursor: pointer;
      border-radius: 4px;
    }
    .short {
      user-select: text;
      -webkit-user-select: text;
      font-size: 13px;
      overflow-wrap: anywhere;
    }
    .search {
      width: 100%;
      margin-bottom: 6px;
    }
    .classes {
      list-style: none;
      margin: 0 -6px;
      padding: 0;
    }
    .class {
      display: flex;
      align-items: center;
      gap: 1px;
      border-radius: 8px;
      border: 1px solid transparent;
    }
    .class.chosen {
      background: var(--accent-soft);
      border-color: var(--accent);
    }
    .class-name {
      flex: 1;
      min-width: 0;
      display: grid;
      grid-template-columns: auto minmax(0, 1fr) auto minmax(18px, auto);
      align-items: center;
      gap: 8px;
      text-align: left;
      padding: 7px 4px 7px 8px;
    }
    .class.chosen .class-name[aria-pressed="true"] {
      border-color: transparent;
      background: none;
      color: var(--text);
    }
    .class.chosen .name {
      font-weight: 600;
    }
    .background .class-name {
      color: var(--text-quiet);
      border: 1px solid transparent;
      grid-template-columns: auto minmax(0, 1fr) auto;
      padding-right: 88px;
    }
    .name {
      display: flex;
      align-items: center;
      gap: 6px;
      min-width: 0;
      white-space: nowrap;
    }
    .name > span:first-child {
      overflow: hidden;
      text-overflow: ellipsis;
    }
    .swatch {
      width: 16px;
      height: 16px;
      border-radius: 4px;
      flex: none;
      box-shadow: inset 0 0 0 1px rgb(128 128 128 / 60%);
      border: 1px solid rgb(128 128 128 / 60%);
    }
    .swatch.none {
      border-style: dashed;
      border-color: var(--control-line);
    }
    .share {
      font-size: 12px;
      font-variant-numeric: tabular-nums;
      color: var(--text-quiet);
    }
    .tag {
      font-size: 11px;
      font-weight: 400;
      color: var(--text-quiet);
      border: 1px solid var(--line);
      border-radius: 4px;
      padding: 0 4px;
    }
    .small {
      width: 28px;
      height: 30px;
      display: grid;
      place-items: center;
      color: var(--text-quiet);
    }
    .small .icon {
      width: 16px;
      height: 16px;
    }
    .row {
      display: grid;
      grid-template-columns: 76px minmax(0, 1fr) 44px;
      align-items: center;
      gap: 8px;
      min-height: 32px;
      font-size: 13px;
    }
    .row.check {
      grid-template-columns: auto 1fr;
    }
    .row select {
      grid-column: 2 / 4;
    }
    .row output {
      text-align: right;
      font-variant-numeric: tabular-nums;
    }
    .row input[type="range"] {
      width: 100%;
    }
    .small-text {
      font-size: 12px;
      min-height: 26px;
    }
    footer {
      grid-area: footer;
      display: flex;
      align-items: center;
      gap: 18px;
      min-height: 28px;
      padding: 2px 14px;
      font-size: 12px;
      color: var(--text-quiet);
      border-top: 1px solid var(--line);
      font-variant-numeric: tabular-nums;
    }
    .coordinates {
      flex: 1;
      min-width: 0;
      overflow: hidden;
      white-space: nowrap;
      text-overflow: ellipsis;
    }
    .saved {
      display: flex;
      align-items: center;
      gap: 4px;
      color: var(--success);
    }
    .saved.waiting {
      color: var(--warning);
    }
    .saved .icon {
      width: 15px;
      height: 15px;
    }

    :host([viewing]) .tools,
    :host([viewing]) .options,
    :host([viewing]) [aria-label="History"],
    :host([viewing]) .classes [aria-label^="Lock"] {
      display: none;
    }
    @container (max-width: 760px) {
      .frame {
        grid-template: "header" auto "options" auto "stage" minmax(0, 1fr) "tools" auto "footer" auto / minmax(0, 1fr);
      }
      header {
        padding: 4px 6px 4px 10px;
        gap: 2px 4px;
        flex-wrap: wrap;
      }
      .title {
        flex: 1 1 100%;
        min-height: 30px;
      }
      .group.last {
        margin-left: auto;
      }
      header .zoom-step {
        display: none;
      }
      .zoom-text {
        min-width: 50px;
        font-size: 13px;
      }
      .options {
        padding: 4px 10px;
        overflow-x: auto;
        scrollbar-width: none;
      }
      .tool-name > span {
        max-width: 130px;
      }
      .option input[type="range"] {
        width: 90px;
      }
      .option input[type="number"] {
        width: 56px;
      }
      .wide-only {
        display: none;
      }
      .tools {
        flex-direction: row;
        overflow-x: auto;
        border-right: 0;
        border-top: 1px solid var(--line);
        padding: 6px 8px;
      }
      .tools .square-button {
        width: 42px;
        height: 42px;
      }
      .divider {
        width: 1px;
        height: auto;
        margin: 4px 2px;
      }
      aside {
        display: none;
      }
      .panel-button {
        display: inline-grid;
      }
      .panel-open aside {
        display: flex;
        grid-area: 1 / 1 / -1 / -1; /* else an area of its own that is not there would hold it */
        position: absolute;
        inset: auto 0 0;
        max-height: 75%;
        background: var(--surface);
        border: 0;
        border-top: 1px solid var(--line);
        border-radius: 14px 14px 0 0;
        box-shadow: var(--shadow);
        padding: 16px;
        z-index: 2;
      }
      .panel-close {
        display: block;
        align-self: stretch;
        min-height: 42px;
      }
      .class-name {
        padding: 10px 4px 10px 8px;
      }
      .small {
        width: 40px;
        height: 40px;
      }
      .background .class-name {
        padding-right: 112px;
      }
    }
    @container (max-width: 430px) {
      header .square-button {
        width: 32px;
      }
    }
  `,
];
