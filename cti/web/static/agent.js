// <cti-agent>: the calls of one person, each as one card, from the first ring on.
//
// It never takes the focus, covers nothing, and moves nothing under the pointer: a card that is
// over leaves its place only when neither pointer nor focus is in the list. New cards come below.
//
// Attributes: lang, zone (for times), names (language of customers' names). Property: csrf.
// Events, each with the card as detail: cti:ringing, cti:answered, cti:ended.

import { css, html, nothing, repeat } from './vendor/lit-3.3.3.js';
import { drawCard, ending, title } from './card.js';
import { LiveElement } from './live.js';
import { sheet } from './sheet.js';
import { isolated } from './words.js';

const NOTICE_MS = 4_000;

const look = css`
  .status { min-height: 40px; padding: 4px 0; }
  .idle { padding: 20px 0; border-top: 1px solid var(--hair); }
  .idle b { display: block; font-weight: 600; }
  .cards > li { border-top: 1px solid var(--hair); }
  .card { padding: 12px 0 16px; }
  .line { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; align-items: center; min-height: 24px; }
  .what { font-weight: 600; }
  .what .soft { font-weight: 400; }
  .ringing .what > svg { color: var(--accent); }
  .rings { display: inline-flex; gap: 8px; align-items: center; white-space: nowrap; }
  .rings b { font-size: 16px; }
  h2 { font-size: 20px; line-height: 1.3; font-weight: 600; }
  .tier { font-size: 12px; font-weight: 600; border: 1px solid var(--edge); border-radius: 3px; padding: 0 5px; vertical-align: 2px; white-space: nowrap; }
  h2 .tier { vertical-align: 3px; }
  .under { display: flex; flex-wrap: wrap; gap: 0 12px; min-height: 1.45em; }
  .number { font-weight: 600; }
  .facts { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-top: 8px; }
  .facts div { display: flex; gap: 6px; }
  .facts dt { color: var(--soft); }
  .say { display: grid; margin-top: 12px; padding: 8px 12px; background: var(--raised); border-inline-start: 3px solid var(--edge); }
  .say.sorry { border-color: var(--amber); }
  .say > div { grid-area: 1 / 1; }
  .say .kept { visibility: hidden; }
  .label { display: block; font-size: 12px; font-weight: 600; }
  q { quotes: none; }
  .rec { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 4px 12px; align-items: center; margin-top: 12px; padding: 4px 0 4px 12px; border-inline-start: 3px solid var(--hair); min-height: 40px; }
  .rec.paused { border-color: var(--amber); background: var(--raised); padding-inline-end: 12px; }
  .rec-now { display: flex; flex-wrap: wrap; gap: 0 12px; }
  .rec-how { font-weight: 600; }
  .rec.on .rec-how svg { color: var(--red); }
  .rec.paused .rec-how { color: var(--amber); }
  .rec-keys { display: flex; flex-wrap: wrap; gap: 4px 8px; }
  .rec-keys button[aria-disabled='true'] { cursor: progress; }
  .rec-fault { grid-column: 1 / -1; }
  .choice { margin-top: 12px; }
  .pick { display: flex; width: 100%; gap: 8px; align-items: baseline; text-align: start; padding: 6px 8px; margin-top: 4px; border-color: var(--hair); }
  .pick[aria-pressed='true'] { border-color: var(--accent); background: var(--raised); }
  .pick[aria-disabled='true'] { cursor: progress; }
  .tick { width: 12px; color: var(--accent); }
  .pick-text { flex: 1; display: grid; }
  .pick-word { font-size: 12px; white-space: nowrap; }
  .pick[aria-pressed='false'] .pick-word { color: var(--accent); }
  .owed { margin-top: 12px; }
  .owed h3 { font-size: 12px; }
  .owed ul { list-style: none; margin: 4px 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 16px; }
  .contacts { margin-top: 12px; }
  .contacts h3 { font-size: 12px; }
  .zone { font-weight: 400; }
  .contacts li { display: grid; grid-template-columns: 112px 84px minmax(0, 1fr) 96px 72px 76px; gap: 0 8px; padding: 4px 0; border-top: 1px solid var(--hair); }
  .contacts li:first-child { border-top: 0; }
  .num { text-align: end; white-space: nowrap; }
  .contacts time { white-space: nowrap; }
  .nums { display: contents; }
  .apart { display: flex; flex-wrap: wrap; gap: 0 12px; }
  .contacts-none { margin-top: 12px; }
  .over { display: flex; flex-wrap: wrap; gap: 0 12px; padding: 10px 0; color: var(--soft); align-content: flex-start; }
  .over b { color: var(--ink); font-weight: 600; }
  .old .card { background: var(--raised); box-shadow: 0 0 0 8px var(--raised); }
  @container (max-width: 560px) {
    .contacts li { grid-template-columns: auto auto 1fr auto; gap: 0 10px; }
    .contacts .how { grid-column: 3 / 5; text-align: end; }
    .contacts .who { grid-column: 1 / 3; color: var(--soft); }
    .contacts .nums { grid-column: 3 / 5; display: flex; justify-content: flex-end; gap: 10px; color: var(--soft); }
    .contacts .num:empty { display: none; }
    .rings .word { display: none; }
    .rec { grid-template-columns: minmax(0, 1fr); }
  }
  @media (forced-colors: active) {
    .say, .rec.paused { border-inline-start-width: 6px; }
    .pick[aria-pressed='true'] { outline: 2px solid Highlight; }
  }
`;

export class CtiAgent extends LiveElement {
  static styles = [sheet, look];

  constructor() {
    super();
    this.view = 'agent';
    this.person = null;
    this.items = new Map(); // call -> {card, overAt, choosing, fault, doing, deedFault}
    this.inside = false;
    this.said = () => ''; // the latest news, once the language is there
  }

  heard(message) {
    if (message.type === 'snapshot') {
      this.person = message.person;
      this.#replace(message.cards);
    } else if (message.type === 'card') {
      this.#apply(message.card);
    } else if (message.type === 'forget') {
      this.items.clear();
    }
  }

  #replace(cards) {
    const now = new Set(cards.map((card) => card.call));
    for (const [call, it] of this.items) {
      if (!now.has(call) && it.overAt === null) this.#end(it, { ...it.card, state: 'ended', outcome: 'unknown', by: null });
    }
    cards.forEach((card) => this.#apply(card));
  }

  #apply(card) {
    const it = this.items.get(card.call);
    if (card.state === 'ended') {
      if (it && it.overAt === null) this.#end(it, card);
      return;
    }
    if (!it || it.overAt !== null) {
      this.items.set(card.call, { card, overAt: null, choosing: false, fault: null, doing: false, deedFault: null });
      if (card.state === 'ringing') this.#announce(card);
      this.#tell(card.state === 'ringing' ? 'ringing' : 'answered', card);
      return;
    }
    if (it.card.state === 'ringing' && card.state === 'talking') this.#tell('answered', card);
    it.card = card;
  }

  #end(it, card) {
    it.card = card;
    it.overAt = performance.now();
    it.height = this.inside ? this.#row(card.call)?.getBoundingClientRect().height : null;
    if (card.outcome !== null) this.said = (words) => `${isolated(title(card, words))}: ${ending(card, words)}`;
    else if (!this.inside) this.items.delete(card.call); // it turned out to be another call, which has its own card
    this.#tell('ended', card);
  }

  #announce(card) {
    this.said = (words) =>
      words.say('card.announce', {
        direction: words.say(`card.direction.${card.direction}`),
        who: isolated(title(card, words)),
      });
  }

  #tell(what, card) {
    this.dispatchEvent(new CustomEvent(`cti:${what}`, { detail: card, bubbles: true, composed: true }));
  }

  #row(call) {
    return this.renderRoot.querySelector(`li[data-call="${CSS.escape(call)}"]`);
  }

  tick() {
    this.#clear();
    if (this.items.size || this.state() !== 'live') this.requestUpdate();
  }

  /** Take away what is over and was seen, unless that would move something under the pointer. */
  #clear() {
    if (this.inside) return;
    for (const [call, it] of this.items) {
      if (it.overAt !== null && performance.now() - it.overAt > NOTICE_MS) {
        this.items.delete(call);
        this.requestUpdate();
      }
    }
  }

  #hold(inside) {
    const focus = this.renderRoot.activeElement;
    this.inside = inside || (focus !== null && this.renderRoot.querySelector('.cards')?.contains(focus));
    if (!this.inside) for (const it of this.items.values()) it.height = null;
  }

  async #choose(it, customer) {
    if (it.choosing) return; // not `disabled`, which would drop the focus
    it.choosing = true;
    it.fault = null;
    this.requestUpdate();
    const call = it.card.call;
    try {
      const answer = await this.channel.post(`/api/v1/calls/${encodeURIComponent(call)}/customer`, { customer });
      const body = await answer.json();
      if (answer.ok) this.#apply(body);
      else it.fault = body.message;
    } catch {
      it.fault = this.words.say('link.short.reconnecting');
    }
    it.choosing = false;
    this.requestUpdate();
  }

  async #record(it, deed) {
    if (it.doing) return;
    it.doing = true;
    it.deedFault = null;
    this.requestUpdate();
    it.deedFault = await this.does(it.card.call, deed);
    it.doing = false;
    this.requestUpdate();
  }

  updated() {
    for (const [call, it] of this.items) {
      const row = this.#row(call);
      if (row) row.style.minHeight = it.height ? `${it.height}px` : '';
    }
  }

  body() {
    const items = [...this.items.values()];
    return html`${this.status()}
      <div class="hidden" role="status">${this.said(this.words)}</div>
      ${items.length ? nothing : html`<div class="idle"><b>${this.words.say('agent.idle')}</b><span class="soft">${this.words.say('agent.idle_text')}</span></div>`}
      <ul class="cards ${this.lostAt === null ? '' : 'old'}"
        @pointerenter=${() => this.#hold(true)} @pointerleave=${() => this.#hold(false)}
        @focusin=${() => this.#hold(true)} @focusout=${() => this.#hold(false)}>
        ${repeat(items, (it) => it.card.call, (it) => this.#item(it))}
      </ul>`;
  }

  #item(it) {
    const { card } = it;
    if (it.overAt !== null) {
      return html`<li data-call=${card.call}><p class="over"><b><bdi>${title(card, this.words)}</bdi></b> ${card.outcome === null ? nothing : ending(card, this.words)}</p></li>`;
    }
    const facts = { words: this.words, times: this.times, moment: this.moment(), names: this.names, person: this.person };
    return html`<li data-call=${card.call}><article class="card ${card.state}" aria-labelledby="t-${card.call}">
      ${drawCard(it, { ...facts, on: { choose: (customer) => this.#choose(it, customer), record: (deed) => this.#record(it, deed) } })}
    </article></li>`;
  }
}

customElements.define('cti-agent', CtiAgent);
