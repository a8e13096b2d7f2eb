// <cti-board>: all calls and agents now, and the day so far. Rows keep their places.

import { css, html, nothing, repeat } from './vendor/lit-3.3.3.js';
import { duration, rings, since } from './figures.js';
import { LiveElement } from './live.js';
import { marks, shape } from './shapes.js';
import { sheet } from './sheet.js';
import { recorded } from './card.js';
import { clean, isolated } from './words.js';

const CALL_STATES = ['menu', 'waiting', 'ringing', 'talking'];
const AGENT_STATES = ['available', 'ringing', 'on_call', 'paused', 'unreachable', 'unknown'];

const look = css`
  .status { min-height: 28px; }
  .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 16px; margin: 12px 0 8px; }
  .figures div { display: flex; flex-direction: column-reverse; justify-content: flex-end; border-top: 2px solid var(--hair); padding-top: 8px; }
  .figures dt { color: var(--soft); font-size: 13px; }
  .figures dd { min-height: 54px; font-size: 28px; line-height: 1.2; font-weight: 600; }
  .figures dd small { display: block; font-size: 13px; font-weight: 400; color: var(--soft); white-space: nowrap; }
  .reasons { display: flex; flex-wrap: wrap; gap: 0 16px; font-size: 13px; color: var(--soft); min-height: 20px; }
  .halves { display: grid; grid-template-columns: minmax(0, 7fr) minmax(0, 4fr); gap: 0 40px; }
  h2 { font-size: 15px; font-weight: 600; margin-top: 20px; }
  .counts { min-height: 24px; color: var(--soft); font-size: 13px; }
  table { width: 100%; border-collapse: collapse; }
  th { position: sticky; top: 0; background: var(--page); text-align: start; font-size: 12px; font-weight: 600; color: var(--soft); padding: 4px 12px 4px 0; white-space: nowrap; }
  td { padding: 6px 12px 6px 0; height: var(--row); border-top: 1px solid var(--hair); vertical-align: top; }
  th:last-child, td:last-child { padding-inline-end: 0; }
  .num { text-align: end; white-space: nowrap; }
  .rings { display: inline-flex; gap: 8px; align-items: center; white-space: nowrap; }
  .state { white-space: nowrap; }
  .state.ringing svg { color: var(--accent); }
  .state.available svg { color: var(--green); }
  .rec { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; }
  .rec.paused .word { color: var(--amber); font-weight: 600; }
  .rec.on svg { color: var(--red); }
  .rec button { padding: 0 8px; min-height: 28px; font-size: 13px; }
  .rec.kept { visibility: hidden; }
  .gone td { color: var(--soft); }
  .empty { padding: 8px 0; border-top: 1px solid var(--hair); }
  @container (max-width: 900px) { .halves { grid-template-columns: minmax(0, 1fr); } }
  @container (max-width: 600px) {
    .figures { grid-template-columns: 1fr 1fr; }
    .listed thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    .listed, .listed tbody, .listed tr, .listed td { display: block; }
    .listed tr { border-top: 1px solid var(--hair); padding: 6px 0; }
    .listed td { border: 0; height: auto; padding: 1px 0; display: flex; gap: 12px; text-align: start; }
    .listed td:empty, .listed td.none { display: none; }
    .listed td::before { content: attr(data-label); flex: 0 0 96px; color: var(--soft); }
  }
`;

export class CtiBoard extends LiveElement {
  static styles = [sheet, look];
  static properties = { staff: { type: String } }; // the role of who looks

  constructor() {
    super();
    this.view = 'board';
    this.staff = '';
    this.board = null;
    this.heardAt = null;
    this.inside = false;
    this.gone = [];
    this.faults = new Map(); // call -> why its recording was not paused
  }

  heard(message) {
    if (message.type === 'board') {
      this.#keepPlaces(message.board.calls);
      this.board = message.board;
    }
    if (message.now) this.heardAt = Date.parse(message.now);
  }

  /** While the pointer is in the table, a call that is over stays where it was, and says so. */
  #keepPlaces(calls) {
    const now = new Set(calls.map((call) => call.call));
    this.gone = this.inside ? this.#shown().filter((call) => !now.has(call.call)).map((call) => ({ ...call, over: true })) : [];
  }

  #shown() {
    const all = [...(this.board?.calls ?? []), ...this.gone];
    return all.sort((a, b) => (a.began ?? '').localeCompare(b.began ?? '') || a.call.localeCompare(b.call));
  }

  #hold(inside) {
    this.inside = inside;
    if (!inside) this.gone = [];
  }

  body() {
    const { words, board } = this;
    if (!board) return this.status();
    const age = Math.max(0, Math.floor((this.channel.now() - this.heardAt) / 1000));
    return html`${this.status(html`<span>${words.say('board.age', { n: age })}</span>`)}
      ${this.#today(board)}
      <div class="halves">
        <section aria-label=${words.say('board.calls')}>
          <h2>${words.say('board.calls')}</h2>
          ${this.#counts('call', CALL_STATES, board.calls)}
          ${this.#calls()}
        </section>
        <section aria-label=${words.say('board.agents')}>
          <h2>${words.say('board.agents')}</h2>
          ${this.#counts('state', AGENT_STATES, board.agents)}
          ${this.#agents(board.agents)}
        </section>
      </div>`;
  }

  #today({ today, standard, talk_limit: limit, wall }) {
    const { words } = this;
    const rate = today.standard_rate === null
      ? html`<small>${words.say('board.none_yet')}</small>`
      : html`${Math.round(today.standard_rate * 100)} % <small>${words.say('board.standard_of', { within: today.within_standard, answered: today.answered })}</small>`;
    const figure = (label, value) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`;
    const none = html`<small>${words.say('board.none_yet')}</small>`;
    const share = (key, n, all) => figure(words.say(key), all
      ? html`<span class=${n < all ? 'amber' : nothing}>${Math.floor(n * 100 / all)} %</span> <small>${words.say('board.of', { n, all })}</small>`
      : none);
    const long = limit !== null && today.talk_ms > limit.target * 1000;
    const talk = today.talk_ms === null ? none : html`<span class=${long ? 'amber' : nothing}>${duration(today.talk_ms)}</span>
      ${limit === null ? nothing : html`<small>${words.say('board.talk_limit', { target: duration(limit.target * 1000), most: duration(limit.most * 1000) })}</small>`}`;
    const reasons = Object.entries(today.missed_by_reason).filter(([, n]) => n);
    return html`<section aria-label=${words.say('board.today')}>
      <dl class="figures">
        ${figure(words.say('board.standard', { n: standard }), rate)}
        ${figure(words.say('board.inbound'), today.inbound)}
        ${figure(words.say('board.answered'), today.answered)}
        ${figure(words.say('board.missed'), today.missed)}
        ${figure(words.say('board.talk'), talk)}
        ${wall.targets ? html`${share('board.promises', wall.targets.kept, wall.targets.promised)}
        ${share('board.records', wall.targets.recorded, wall.targets.visited)}` : nothing}
      </dl>
      <p class="reasons">${reasons.length
        ? html`<span>${words.say('board.reasons')}</span>${reasons.map(([reason, n]) => html`<span>${words.name('reason', reason)} ${n}</span>`)}`
        : words.say('board.no_misses')}</p>
    </section>`;
  }

  #counts(family, states, all) {
    const counts = states.map((state) => [state, all.filter((one) => one.state === state).length]);
    const text = counts.filter(([, n]) => n).map(([state, n]) => `${n} ${this.words.name(family, state)}`);
    return html`<p class="counts">${text.join(' · ')}</p>`;
  }

  #calls() {
    const { words } = this;
    const calls = this.#shown();
    if (!calls.length) return html`<p class="empty soft">${words.say('board.no_calls')}</p>`;
    const column = (key, number = false) => html`<th scope="col" class=${number ? 'num' : nothing}>${words.say(`board.col.${key}`)}</th>`;
    return html`<table class="listed" @pointerenter=${() => this.#hold(true)} @pointerleave=${() => this.#hold(false)}>
      <thead><tr>${column('caller')}${column('state')}${column('time', true)}${column('rings')}${column('where')}${column('agents')}</tr></thead>
      <tbody>${repeat(calls, (call) => call.call, (call) => this.#call(call))}</tbody>
    </table>`;
  }

  #call(call) {
    const { words, board } = this;
    const moment = this.moment();
    const label = (key) => words.say(`board.col.${key}`);
    const who = call.customer ?? call.caller_name ?? call.shown;
    const where = [call.line, call.queue].filter(Boolean).map((one) => clean(one)).join(' · ');
    const ringing = call.state === 'ringing' && call.rang_at !== null && !call.over;
    const n = ringing ? rings(since(call.rang_at, moment), board.cycle_ms) : null;
    return html`<tr class=${call.over ? 'gone' : nothing}>
      <td data-label=${label('caller')}><span>${who ? html`<bdi lang=${this.names || nothing}>${clean(who)}</bdi>` : html`<span class="soft">${words.say('board.withheld')}</span>`}
        ${who && call.shown && who !== call.shown ? html` <span class="soft"><bdi>${clean(call.shown)}</bdi></span>` : nothing}</span></td>
      <td data-label=${label('state')}><span class="state ${call.state}">${call.over ? words.say('board.gone') : html`${shape(`call.${call.state}`)} ${words.name('call', call.state)}`}</span>${this.#recording(call)}</td>
      <td data-label=${label('time')} class="num">${call.over || call.began === null ? nothing : duration(since(call.began, moment))}</td>
      <td data-label=${label('rings')} class=${n === null ? 'none' : nothing}>${n === null ? nothing : html`<span class="rings ${n > board.standard ? 'amber' : ''}"><span>${n} / ${board.standard}</span>${marks(n, board.standard, board.apologise_from)}</span>`}</td>
      <td data-label=${label('where')}>${where}</td>
      <td data-label=${label('agents')} class=${call.agents.length ? nothing : 'none'}><span>${call.agents.map((name, i) => html`${i ? ', ' : nothing}<bdi lang=${this.names || nothing}>${clean(name)}</bdi>`)}</span></td>
    </tr>`;
  }

  /** That a recording is paused; for who may pause, whether a call is recorded, and the key. */
  #recording({ call, recording, over }) {
    if (!recording) return nothing;
    const { words } = this;
    const deed = recording.state === 'on' ? 'pause' : recording.why === 'asked' ? 'resume' : null;
    const may = deed !== null && this.board.pause_by.includes(this.staff);
    if (recording.state === 'on' && !may) return nothing;
    const fault = this.faults.get(call);
    return html`<span class="rec ${recording.state} ${over ? 'kept' : ''}"><span class="word">${shape(`rec.${recording.state}`)} ${words.say(`rec.${recorded(recording)}`)}</span>
      ${recording.by ? html`<span class="soft">${words.say('rec.by', { name: isolated(recording.by) })}</span>` : nothing}
      ${may ? html`<button @click=${() => this.#record(call, deed)}>${words.say(`rec.do.${deed}`)}</button>` : nothing}
      <span class="amber" role="alert">${fault ? words.say('rec.failed', { why: fault }) : nothing}</span></span>`;
  }

  async #record(call, deed) {
    const fault = await this.does(call, deed);
    this.faults = new Map(fault ? [[call, fault]] : []);
    this.requestUpdate();
  }

  #agents(agents) {
    const { words } = this;
    if (!agents.length) return html`<p class="empty soft">${words.say('board.no_agents')}</p>`;
    const label = (key) => words.say(`board.col.${key}`);
    return html`<table>
      <thead><tr><th scope="col">${label('agent')}</th><th scope="col">${label('state')}</th><th scope="col" class="num">${label('time')}</th></tr></thead>
      <tbody>${repeat(agents, (agent) => agent.number, (agent) => html`<tr>
        <td data-label=${label('agent')}><span><bdi lang=${this.names || nothing}>${clean(agent.name)}</bdi> <span class="soft">${clean(agent.number)}</span></span></td>
        <td data-label=${label('state')}><span class="state ${agent.state}">${shape(`agent.${agent.state}`)} ${words.name('state', agent.state)}</span></td>
        <td data-label=${label('time')} class="num ${agent.since === null ? 'none' : ''}">${agent.since === null ? nothing : duration(since(agent.since, this.moment()))}</td>
      </tr>`)}</tbody>
    </table>`;
  }
}

customElements.define('cti-board', CtiBoard);
