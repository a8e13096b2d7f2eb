// Shapes that go with words: no state is told by colour alone. 12 by 12, in the text's colour.

import { html, svg } from './vendor/lit-3.3.3.js';

const drawn = {
  full: svg`<circle cx="6" cy="6" r="5" fill="currentColor"/>`,
  half: svg`<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M6 1a5 5 0 0 1 0 10z" fill="currentColor"/>`,
  square: svg`<rect x="1.5" y="1.5" width="9" height="9" fill="currentColor"/>`,
  triangle: svg`<path d="M6 1.5 11 10.5H1z" fill="currentColor"/>`,
  pause: svg`<path d="M3 1.5h2v9H3zM7 1.5h2v9H7z" fill="currentColor"/>`,
  open: svg`<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
  cross: svg`<path d="M2 2l8 8M10 2l-8 8" stroke="currentColor" stroke-width="2" fill="none"/>`,
  question: svg`<path d="M3.5 4a2.5 2.5 0 1 1 3.6 2.2C6.3 6.6 6 7 6 8" fill="none" stroke="currentColor" stroke-width="1.6"/><circle cx="6" cy="10.4" r="1" fill="currentColor"/>`,
  down: svg`<path d="M10 2 3 9M3 4v5h5" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
  up: svg`<path d="M2 10l7-7M4 3h5v5" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
  both: svg`<path d="M1.5 6h9M4 3.5 1.5 6 4 8.5M8 3.5 10.5 6 8 8.5" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
  check: svg`<path d="M2 6.5 5 9.5 10 3" fill="none" stroke="currentColor" stroke-width="2"/>`,
};

export const SHAPES = {
  'agent.available': 'full', 'agent.ringing': 'half', 'agent.on_call': 'square', 'agent.paused': 'pause',
  'agent.unreachable': 'cross', 'agent.unknown': 'question',
  'agent.wrap_up': 'triangle', 'agent.break_approved': 'pause', 'agent.called_away': 'up',
  'agent.busy_elsewhere': 'square', 'agent.pause_unapproved': 'pause', 'agent.pbx_autopause': 'pause',
  'agent.logged_out': 'open',
  'call.menu': 'open', 'call.waiting': 'open', 'call.ringing': 'half', 'call.talking': 'square',
  'link.live': 'full', 'link.connecting': 'open', 'link.reconnecting': 'half', 'link.offline': 'cross',
  'link.stale': 'triangle', 'link.ended': 'open', 'link.forbidden': 'cross', 'link.reload': 'triangle',
  'link.stopped': 'cross',
  'way.inbound': 'down', 'way.outbound': 'up', 'way.internal': 'both',
  'rec.on': 'full', 'rec.paused': 'pause', 'rec.off': 'open',
  check: 'check', limit: 'triangle',
};

/** Draw a shape by what it means, such as `call.ringing`. */
export const shape = (meaning) =>
  html`<svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">${drawn[SHAPES[meaning]] ?? drawn.open}</svg>`;

/** Rings as marks: one per ring up to where one apologises, a gap after the standard. */
export const marks = (n, standard, sorry) => {
  const step = 7;
  const gap = 4;
  const at = (i) => i * step + (i >= standard ? gap : 0);
  const bars = Array.from({ length: sorry }, (_, i) =>
    i < n
      ? svg`<rect x=${at(i)} y="1" width="5" height="12" fill="currentColor"/>`
      : svg`<rect x=${at(i) + 0.5} y="1.5" width="4" height="11" fill="none" stroke="currentColor"/>`,
  );
  const width = at(sorry);
  return html`<svg class="marks" width=${width} height="14" viewBox="0 0 ${width} 14" aria-hidden="true">${bars}</svg>`;
};
