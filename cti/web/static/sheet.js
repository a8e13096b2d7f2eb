// The look that the elements share. The values of the tokens are those of house.css; a test compares.

import { css } from './vendor/lit-3.3.3.js';

export const sheet = css`
  :host {
    --page: #ffffff; --raised: #f5f6f8; --ink: #1b1f24; --soft: #57606c; --edge: #7d8692;
    --accent: #1a5fb4; --red: #b3261e; --amber: #7a5200; --green: #1d6b35;
    --hair: color-mix(in srgb, var(--edge) 32%, transparent);
    --row: 32px;
    color-scheme: light dark;
    display: block;
    container-type: inline-size;
    color: var(--ink);
    background: var(--page);
    font: 14px/1.45 system-ui, sans-serif;
    font-variant-numeric: tabular-nums;
    overflow-wrap: anywhere;
  }
  @media (prefers-color-scheme: dark) {
    :host {
      --page: #15181c; --raised: #1d2126; --ink: #e7eaee; --soft: #a5aebb; --edge: #7b8592;
      --accent: #8ab8f5; --red: #ff8a80; --amber: #e3b341; --green: #7bc48a;
    }
  }
  @media (pointer: coarse) { :host { --row: 44px; } }
  :host([hidden]) { display: none; }
  *, *::before, *::after { box-sizing: border-box; }
  h2, h3, p, dl, dd, ul, ol { margin: 0; padding: 0; }
  ul, ol { list-style: none; }
  .soft { color: var(--soft); }
  .amber { color: var(--amber); }
  .hidden {
    position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap;
  }
  a { color: var(--accent); }
  svg { flex: none; vertical-align: -2px; }
  button {
    font: inherit; color: var(--ink); background: var(--page);
    border: 1px solid var(--edge); border-radius: 4px; min-height: var(--row); padding: 0 12px; cursor: pointer;
  }
  button:hover { background: var(--raised); }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .status { display: flex; gap: 8px; align-items: baseline; font-size: 13px; color: var(--soft); }
  .status .word { font-weight: 600; white-space: nowrap; }
  .status .live svg { color: var(--green); }
  .status.trouble { color: var(--ink); }
  .status.trouble .word { color: var(--amber); }
`;
