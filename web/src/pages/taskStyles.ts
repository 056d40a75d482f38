import { css } from "lit";

export const taskStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    height: 100dvh;
    overflow: hidden;
  }
  header {
    align-items: center;
    background: var(--surface);
    border-bottom: 1px solid var(--line);
    display: flex;
    flex: none;
    gap: 6px 12px;
    padding: 6px 12px;
  }
  .back {
    align-items: center;
    border-radius: var(--radius);
    color: var(--text-quiet);
    display: inline-flex;
    justify-content: center;
    min-height: 32px;
    min-width: 32px;
  }
  .back:hover {
    background: var(--surface-sunken);
  }
  .what {
    align-items: baseline;
    display: flex;
    flex: 1;
    gap: 10px;
    min-width: 0;
  }
  .what h1 {
    font-size: 1rem;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .quiet {
    color: var(--text-quiet);
    white-space: nowrap;
  }
  .sign {
    border-radius: 99px;
    font-size: 0.9rem;
    padding: 2px 10px;
  }
  .sign.good {
    color: var(--success);
  }
  .sign.busy {
    color: var(--text-quiet);
  }
  .sign.warning,
  .clock.low {
    background: var(--warning-soft);
    color: var(--warning);
  }
  .clock {
    border-radius: 99px;
    font-variant-numeric: tabular-nums;
    padding: 2px 8px;
  }
  .notice {
    align-items: center;
    background: var(--accent-soft);
    display: flex;
    flex: none;
    gap: 12px;
    justify-content: space-between;
    padding: 6px 14px;
  }
  .notice.warning {
    background: var(--warning-soft);
    color: var(--warning);
  }
  .notice.danger {
    background: var(--danger-soft);
    color: var(--danger);
  }
  .frame {
    flex: 1;
    min-height: 0;
    position: relative;
  }
  iframe {
    border: 0;
    display: block;
    height: 100%;
    width: 100%;
  }
  .loading {
    align-items: center;
    color: var(--text-quiet);
    display: flex;
    flex: 1;
    gap: 12px;
    justify-content: center;
  }
  .loading.cover {
    background: var(--ground);
    inset: 0;
    pointer-events: none;
    position: absolute;
  }
  .spinner {
    animation: turn 0.8s linear infinite;
    border: 3px solid var(--line);
    border-radius: 50%;
    border-top-color: var(--accent);
    height: 20px;
    width: 20px;
  }
  .message {
    display: grid;
    gap: 14px;
    margin: 12vh auto 0;
    max-width: 560px;
    padding: 0 20px;
  }
  .message .row {
    display: flex;
    flex-wrap: wrap;
    gap: 10px;
  }
  .over {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 14px;
    color: var(--text);
    margin: 6vh auto auto;
    max-height: 88vh;
    max-width: min(520px, calc(100vw - 28px));
    overflow: auto;
    padding: 18px 20px;
    width: 100%;
  }
  .over::backdrop {
    background: rgb(0 0 0 / 55%);
  }
  .over .quiet {
    text-align: center;
    white-space: normal;
  }
  @media (max-width: 720px) {
    header {
      flex-wrap: wrap;
    }
    .what {
      flex: 1 1 60%;
    }
  }
`;
